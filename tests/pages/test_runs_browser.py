"""The pages of runs and agents in a real browser, over the real product."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run, Step
from agents.services.change_goal import change_goal
from agents.services.control import pause_run
from agents.services.message_run import message_run
from agents.services.start_run import start_run
from agents.services.take_over import take_over
from approvals.models import ApprovalRequest
from approvals.services.decide import decide
from demo.agents import refund_desk
from tests.approvals.till import verdict_on
from tests.harness.looks import looks_at, troubles_of
from tests.harness.people import person
from tests.harness.stack import Stack

PageFor = Callable[..., Page]
# What is waited for comes at once on an idle machine, and later on one that runs other tests.
expect.set_options(timeout=20_000)
REVIEWED, BY_ITSELF = refund_desk.examples[0].input, refund_desk.examples[1].input


def started(operator: User, text: str) -> Run:
    """A run of the refund desk."""
    run, _ = start_run(agent="refund-desk", input=text, caller=Caller.of_session(operator))
    return run


def until(site: Stack, run: Run, state: str) -> Run:
    """The run once it is in that state."""
    site.wait_for(
        lambda: Run.objects.filter(pk=run.pk, state=state).exists(), what=f"the run is {state}"
    )
    return Run.objects.get(pk=run.pk)


def approve(run: Run, reviewer: User) -> None:
    """Approve what the run waits for, as the reviewer who reads it now."""
    request = ApprovalRequest.objects.get(run_id=run.pk, state="pending")
    decide(
        request_id=request.pk,
        decision=verdict_on(request),
        caller=Caller.of_session(reviewer),
    )


def open_everything(page: Page) -> None:
    """Open every fold of the page's main part, and wait for what they fetch."""
    page.evaluate(
        # Folds of one name close each other.
        "document.querySelectorAll('main details')"
        ".forEach((fold) => { fold.name = ''; fold.open = true })"
    )
    expect(page.locator(".step-raw-body:not([data-kept])")).to_have_count(0)


@pytest.fixture
def told(site: Stack, operator: User, reviewer: User) -> list[str]:
    """Addresses of pages that show every kind of step a demo has: waiting, done, asked, paused."""
    waiting, done = started(operator, REVIEWED), started(operator, BY_ITSELF)
    asking = started(operator, refund_desk.examples[3].input)
    until(site, done, "succeeded")
    until(site, waiting, "waiting")
    until(site, asking, "waiting")
    pause_run(run_id=asking.pk, reason="Looking.", caller=Caller.of_session(operator))
    taken = until(site, started(operator, REVIEWED), "waiting")
    caller = Caller.of_session(operator)
    message_run(run_id=taken.pk, text="Look at the date.", caller=caller)
    take_over(run_id=taken.pk, reason="I call the customer first.", caller=caller)
    site.wait_for(
        lambda: Step.objects.filter(run=taken, kind="hand_back").exists(), what="it is taken over"
    )
    change_goal(run_id=taken.pk, text="Only tell the customer that we look at it.", caller=caller)
    runs = [f"/runs/{run.pk}/" for run in (waiting, done, asking, taken)]
    compared = f"/runs/compare/?run={waiting.pk}"
    beside = [compared, f"{compared}&run={done.pk}", f"{runs[0]}?step=6"]
    return ["/runs/", *runs, *beside, f"{runs[0]}steps/6/", "/agents/", "/agents/refund-desk/"]


@looks_at("run-list", "run-detail", "run-step", "run-compare", "agent-list", "agent-detail")
def test_axe_finds_nothing_in_either_theme_and_nothing_is_wider_than_a_phone(
    site: Stack,
    told: list[str],
    context_for: Callable[..., BrowserContext],
    admin: User,
) -> None:
    page = context_for(admin, site.url).new_page()
    for path in told:
        page.goto(path)
        open_everything(page)
        assert troubles_of(page, within="main") == []


def test_pages_follow_a_run_whoever_it_belongs_to_and_keep_what_the_reader_opened(
    site: Stack, page_for: PageFor, operator: User, reviewer: User
) -> None:
    run = until(site, started(operator, REVIEWED), "waiting")
    page = page_for(operator)
    page.goto(f"/runs/{run.pk}/")
    expect(page.locator("#run-tags")).to_contain_text("Waiting for a person")
    expect(page.locator("#live-pill")).to_have_text("Live")
    # The run is neither theirs nor their groups': they follow it because they may see it.
    watching = page_for(person("second-operator", "operator"))
    watching.goto(f"/runs/{run.pk}/")
    expect(watching.locator("#run-tags")).to_contain_text("Waiting for a person")
    expect(watching.locator("#live-pill")).to_have_text("Live")
    page.locator("#step-2-fold > summary").click()
    page.locator("#step-1-fold > summary").click()
    page.locator("#step-1-raw > summary").click()
    expect(page.locator("#step-1-raw pre").first).to_contain_text('"messages"')
    page.locator("#control-cancel > summary").click()
    page.locator("#control-cancel textarea").fill("I was about to")
    page.evaluate("document.getElementById('step-2').marked = true; scrollTo(0, 120)")
    before = page.evaluate("scrollY")
    reviewer.refresh_from_db()
    approve(run, reviewer)
    expect(page.locator("#run-tags")).to_contain_text("Succeeded")
    expect(page.locator("#answer-title")).to_have_text("Final answer")
    expect(page.locator("#timeline")).to_contain_text(f"Approved by {reviewer}")
    assert page.evaluate("document.getElementById('step-2').marked")
    assert page.evaluate("document.getElementById('step-2-fold').open")
    assert page.evaluate("document.getElementById('step-1-raw').open")
    expect(page.locator("#step-1-raw pre").first).to_contain_text('"messages"')
    assert page.evaluate("scrollY") == before
    expect(page.locator("#run-controls")).to_have_count(0)
    expect(page.locator("#live-region")).to_contain_text("The run is now: Succeeded.")
    expect(watching.locator("#run-tags")).to_contain_text("Succeeded")


def test_everything_works_without_a_script(
    site: Stack, page_for: PageFor, operator: User, reviewer: User
) -> None:
    page = page_for(operator, java_script_enabled=False)
    page.goto("/runs/")
    page.get_by_role("link", name="A refund above the limit").click()
    expect(page.locator("#start textarea")).to_have_value(str(REVIEWED))
    page.get_by_role("button", name="Start").click()
    run = until(site, Run.objects.get(), "waiting")
    page.get_by_role("link", name="Reload").click()
    expect(page.locator("#run-tags")).to_contain_text("Waiting for a person")
    page.locator("#step-1-fold > summary").click()
    page.locator("#step-1-raw > summary").click()
    page.get_by_role("link", name="Open the raw request and response of step 1").click()
    expect(page.locator("main")).to_contain_text("You work at the refund desk of a shop")
    page.go_back()
    page.locator("#control-cancel > summary").click()
    page.locator("#control-cancel").get_by_label("Reason").fill("A test.")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#run-tags")).to_contain_text("Cancelled")
    expect(page.locator("#run-now")).to_contain_text("A test.")
    assert Run.objects.get(pk=run.pk).state == "cancelled"


def test_a_reader_at_the_keyboard_is_not_disturbed_by_what_happens_meanwhile(
    site: Stack, page_for: PageFor, operator: User
) -> None:
    run = until(site, started(operator, REVIEWED), "waiting")
    page = page_for(operator)
    page.goto(f"/runs/{run.pk}/#step-2")
    expect(page.locator("#step-2 .step-body")).to_be_visible()
    expect(page.locator("#step-3 .step-body")).to_be_hidden()
    expect(page.locator("#step-2 .step-body")).to_contain_text("ORD-10001")
    expect(page.locator("#live-pill")).to_have_text("Live")
    page.locator("#step-3-fold > summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#step-3-fold .step-body")).to_be_visible()
    page.locator("#control-cancel > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Because the customer")
    box = page.locator("#control-cancel textarea")
    pause_run(run_id=run.pk, reason="", caller=Caller.of_session(operator))
    expect(page.locator("#run-tags")).to_contain_text("Paused")
    expect(page.locator("#control-resume")).to_be_visible()
    expect(box).to_have_value("Because the customer")
    expect(box).to_be_focused()
    expect(page.locator("#step-3-fold .step-body")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#run-tags")).to_contain_text("Cancelled")
    expect(page.locator("#run-now")).to_contain_text("Because the customer")


def test_the_list_follows_runs_and_an_example_starts_one_in_place(
    site: Stack, page_for: PageFor, operator: User
) -> None:
    watching, page = page_for(operator), page_for(operator)
    watching.goto("/runs/")
    expect(watching.locator("#runs")).to_contain_text("No runs yet")
    expect(watching.locator("#live-pill")).to_have_text("Live")
    page.goto("/runs/")
    page.get_by_role("link", name="A refund above the limit").click()
    expect(page.locator("#start textarea")).to_have_value(str(REVIEWED))
    page.get_by_role("link", name="A small, clear refund: runs by itself").click()
    expect(page.locator("#start textarea")).to_have_value(str(BY_ITSELF))
    assert page.url == f"{site.url}/runs/"
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/runs/*-*/")
    expect(page.locator("#run-tags")).to_contain_text("Succeeded")
    assert len(site.provider_calls()) == 1
    expect(watching.locator("#runs")).to_contain_text("Succeeded")
    row = watching.locator(f"#run-{started(operator, REVIEWED).pk}")
    expect(row).to_contain_text("Waiting for a person")
    expect(row.get_by_role("link", name="Refund €420.00 to")).to_be_visible()


def test_the_id_of_a_run_s_trace_is_copied_by_a_button(
    site: Stack, page_for: PageFor, operator: User
) -> None:
    run = until(site, started(operator, BY_ITSELF), "succeeded")
    page = page_for(operator)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/runs/{run.pk}/")
    button = page.locator("#run-trace button")
    expect(button).to_have_accessible_name("Copy: the trace's id")
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == run.pk.hex
    # Without a clipboard, as over plain HTTP, the id is selected instead.
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    expect(button).to_have_text("Copy")
    button.click()
    expect(page.locator("#live-region")).to_contain_text("Copy it with the keyboard")
    assert page.evaluate("getSelection().toString()") == run.pk.hex
