"""The main job, as people do it: a ticket becomes a refund that somebody approved, once, and is told in the log."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from agents.models import Run
from agents.registry import get
from audit.models import Event
from demo.models import Order
from tests.harness.browser import Troubles
from tests.harness.client import ApiClient
from tests.harness.stack import Stack

PageFor = Callable[..., Page]
STORY = [
    "run.started",
    "action.allowed",
    "action.proposed",
    "request.opened",
    "run.parked",
    "request.shown",
    "request.decided",
    "run.woken",
    "effect.dispatched",
    "effect.succeeded",
    "run.ended",
]


def ticket() -> str:
    """The demo's first example: one refund above the limit."""
    return str(get("refund-desk").examples[0].input)


def start(page: Page, text: str) -> str:
    """Start a run in the page's form; returns its id."""
    page.goto("/runs/")
    page.locator("form textarea").first.fill(text)
    page.get_by_role("button", name=re.compile("^Start")).click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/"))
    found = re.search(r"/runs/([0-9a-f-]{36})/", page.url)
    assert found is not None
    return found[1]


def story_of(run: str) -> list[str]:
    """The types of the run's events in the order in which the log holds them."""
    rows = Event.objects.filter(run=run).order_by("inserted_at")
    return [str(kind) for kind in rows.values_list("type", flat=True)]


def tells(events: list[str], story: list[str]) -> bool:
    """Whether the story's events stand among the events in this order."""
    rest = iter(events)
    return all(kind in rest for kind in story)


def ended(run: str) -> bool:
    return bool(Run.objects.filter(pk=run, state="succeeded").exists())


def test_a_refund_from_ticket_to_log_with_two_reviewers_watching(
    site: Stack,
    page_for: PageFor,
    operator: User,
    reviewer: User,
    second_reviewer: User,
    auditor: User,
) -> None:
    first, second = page_for(reviewer), page_for(second_reviewer)
    for page in (first, second):
        page.goto("/inbox/")
        expect(page.locator("#live-pill")).to_have_text("Live")

    desk = page_for(operator)
    run = start(desk, ticket())

    # It appears in both open inboxes without a reload.
    for page in (first, second):
        fresh = page.locator("#new-rows:not([hidden])")
        row = page.locator(".row", has_text="Refund €420.00")
        expect(page.locator("#new-rows:not([hidden]), .row").first).to_be_visible(timeout=20_000)
        if fresh.count():
            fresh.click()
        expect(row).to_be_visible()

    first.locator(".row-link", has_text="Refund €420.00").click()
    expect(first.get_by_role("heading", name=re.compile("Refund €420.00"))).to_be_visible()
    first.get_by_role("button", name=re.compile("^Approve")).click()
    expect(first.locator("#standing")).to_contain_text("Approved by")

    # The other reviewer's row greys, and says who it was.
    greyed = second.locator(".row.closed", has_text="Refund €420.00")
    expect(greyed).to_contain_text("Approved by")

    # The run's page follows to its end.
    expect(desk.get_by_text("Succeeded").first).to_be_visible()
    assert len(site.provider_calls()) == 1

    site.wait_for(lambda: ended(run), what="the run has succeeded")
    assert tells(story_of(run), STORY), story_of(run)
    log = page_for(auditor)
    log.goto(f"/audit/?run={run}")
    expect(log.locator("main")).to_contain_text("approved")


def test_a_refund_without_a_script_in_any_browser(
    site: Stack,
    page_for: PageFor,
    operator: User,
    reviewer: User,
    second_reviewer: User,
    troubles: Troubles,
) -> None:
    troubles.expect("status of 422")
    desk = page_for(operator, java_script_enabled=False)
    run = start(desk, ticket())
    site.wait_for(
        lambda: Run.objects.filter(pk=run, state="waiting").exists(), what="the run is parked"
    )
    page = page_for(reviewer, java_script_enabled=False)
    page.goto("/inbox/")
    page.locator(".row-link", has_text="Refund €420.00").click()
    page.get_by_role("link", name="Edit").click()
    amount = page.get_by_role("textbox", name="Amount")
    for wrong_then_right in ("-5", "410.00"):
        amount.fill(wrong_then_right)
        page.get_by_role("button", name="Save the change").click()
        if wrong_then_right == "-5":
            expect(page.locator("[data-edit]", has=amount).locator(".error")).to_be_visible()
            expect(amount).to_have_value("-5")
    expect(page.locator(".argument ins")).to_have_text("After: 410.00")
    # Whoever changed it does not approve it as well.
    other = page_for(second_reviewer, java_script_enabled=False)
    other.goto(page.url)
    other.get_by_role("button", name=re.compile("^Approve")).click()
    expect(other.locator("#standing")).to_contain_text("Approved by")
    site.wait_for(lambda: ended(run), what="the run has succeeded")
    desk.reload()
    expect(desk.get_by_text("Succeeded").first).to_be_visible()
    assert [call["body"]["amount"] for call in site.provider_calls()] == ["410.00"]


def test_a_refund_by_the_api_alone(site: Stack, operator: User, reviewer: User) -> None:
    desk, person = ApiClient(site, operator), ApiClient(site, reviewer)
    run = desk.start("refund-desk", desk.get("agents/refund-desk")["examples"][0]["input"])
    site.wait_for(person.pending, what="the request is there")
    (request,) = person.pending()
    assert request["run"] == run
    assert request["risk"] == "high"
    nonce = {"nonce": "the-same-nonce"}
    first, again = (person.decide(request, "approve", **nonce) for _ in range(2))
    assert (first[0], again[0]) == (200, 200)
    told = desk.get(f"runs/{run}?wait=30")
    while told["state"] != "succeeded":
        told = desk.get(f"runs/{run}?wait=30")
    assert told["output"]["outcome"] == "refunded"
    assert len(site.provider_calls()) == 1
    status, late = person.decide(request, "reject", reason="Too late.")
    assert (status, late["code"]) == (409, "already_decided")
    assert late["params"]["who"]


def test_a_rejected_refund_moves_nothing_and_the_run_ends_sensibly(
    site: Stack, operator: User, reviewer: User
) -> None:
    desk, person = ApiClient(site, operator), ApiClient(site, reviewer)
    run = desk.start("refund-desk", ticket())
    site.wait_for(person.pending, what="the request is there")
    assert person.decide(person.pending()[0], "reject", reason="Not covered.")[0] == 200
    site.wait_for(lambda: ended(run), what="the run has ended")
    assert desk.get(f"runs/{run}")["output"]["outcome"] == "declined"
    assert site.provider_calls() == []


def test_three_tickets_meet_the_three_answers_of_the_policy(
    site: Stack, operator: User, reviewer: User
) -> None:
    desk = ApiClient(site, operator)
    examples = get("refund-desk").examples
    by_rule, by_itself, by_confidence = (
        desk.start("refund-desk", example.input) for example in examples[:3]
    )
    site.wait_for(lambda: ended(by_itself), what="the clear one ran by itself")
    person = ApiClient(site, reviewer)
    site.wait_for(lambda: len(person.pending()) == 2, what="two are waiting")
    reasons = {each["run"]: str(each["reasons"]) for each in person.pending()}
    assert "rule" in reasons[by_rule]
    assert "confidence" in reasons[by_confidence]


def test_an_edit_above_the_limit_needs_the_second_person(
    site: Stack, operator: User, reviewer: User, second_reviewer: User
) -> None:
    desk, editor = ApiClient(site, operator), ApiClient(site, reviewer)
    run = desk.start("refund-desk", get("refund-desk").examples[2].input)
    site.wait_for(editor.pending, what="the request is there")
    (request,) = editor.pending()
    edited = {**request["arguments"], "amount": "60.00"}
    assert editor.decide(request, "edit", arguments=edited)[0] == 200
    (changed,) = ApiClient(site, second_reviewer).pending()
    assert (changed["revision"], changed["arguments"]["amount"]) == (2, "60.00")
    status, refusal = editor.decide(changed, "approve")
    assert (status, refusal["code"]) == (403, "own_edit")
    assert ApiClient(site, second_reviewer).decide(changed, "approve")[0] == 200
    site.wait_for(lambda: ended(run), what="the run has succeeded")
    assert [call["body"]["amount"] for call in site.provider_calls()] == ["60.00"]


@pytest.fixture
def drawn(record_property: Callable[[str, object], None]) -> random.Random:
    """A generator of its own for each run of the tests; its seed stands in the report."""
    seed = random.SystemRandom().randrange(2**32)
    record_property("seed", seed)
    return random.Random(seed)


def test_a_ticket_drawn_at_random_is_understood(
    site: Stack, operator: User, reviewer: User, drawn: random.Random
) -> None:
    order = drawn.choice(_refundable())
    amount = f"{drawn.randint(60, 90)}.{drawn.randint(0, 99):02d}"
    wording = drawn.choice(
        (
            "The {product} of order {order} came broken. Please refund €{amount}.",
            "Please pay back {amount} EUR for order {order}, the {product} was damaged.",
            "Order {order}: {product} does not work. I would like a refund of {amount} euros.",
        )
    )
    text = wording.format(product=order.product, order=order.number, amount=amount)
    ApiClient(site, operator).start("refund-desk", text)
    person = ApiClient(site, reviewer)
    site.wait_for(person.pending, what=f"the request for {text!r} is there")
    (request,) = person.pending()
    assert (request["arguments"]["order"], request["arguments"]["amount"]) == (order.number, amount)


def _refundable() -> list[Any]:
    """Orders that the rules allow a refund of up to €100 for."""
    fresh = [
        order
        for order in Order.objects.with_everything().filter(delivered_on__isnull=False)
        if order.total - order.given_back() >= 100
    ]
    newest = sorted(fresh, key=lambda order: order.delivered_on)[-5:]
    assert newest
    return newest
