"""One change of rows, as people see it: the run asks, the rows stand before and after, one approves, it is done."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from demo.agents import data_steward
from demo.models import Customer
from tests.harness.looks import DESK, PHONE, View, troubles_of
from tests.harness.stack import Stack


def asked(site: Stack, operator: User, example: int) -> ApprovalRequest:
    """What a run on one of the agent's examples asks of a person."""
    task = data_steward.examples[example].input
    run, _ = start_run(agent="data-steward", input=task, caller=Caller.of_session(operator))
    requests = ApprovalRequest.objects.filter(run_id=run.pk, state="pending")
    site.wait_for(requests.all().exists, what="a person is asked")
    return requests.get()


def test_a_misspelt_city_is_put_right_once_a_person_has_seen_the_row(
    site: Stack, page_for: Callable[..., Page], operator: User, reviewer: User
) -> None:
    run = asked(site, operator, 1).run_id
    page = page_for(reviewer)
    page.goto("/inbox/")
    page.locator(".row-link", has_text="Change customer Acme GmbH: city").click()
    row = page.locator("[data-row=changed]")
    expect(row.locator("del")).to_contain_text("Hambrug")
    expect(row.locator("ins")).to_contain_text("Hamburg")
    expect(row.get_by_text("orders@acme-gmbh.example")).to_be_hidden()
    row.get_by_text("What stays as it is").click()
    expect(row.get_by_text("orders@acme-gmbh.example")).to_be_visible()
    page.get_by_role("button", name="Approve").first.click()
    expect(page.locator("#standing")).to_contain_text("Approved by")
    site.wait_for(
        lambda: Run.objects.filter(pk=run, state="succeeded").exists(), what="the run has ended"
    )
    assert Customer.objects.get(name="Acme GmbH").city == "Hamburg"


def test_the_rows_fit_in_both_themes_and_on_a_phone(
    site: Stack,
    context_for: Callable[..., BrowserContext],
    operator: User,
    reviewer: User,
) -> None:
    page = context_for(reviewer, site.url).new_page()
    for example in (1, 2):
        request = asked(site, operator, example)
        page.goto(f"/requests/{request.pk}/")
        expect(page.locator(".row-changes")).to_be_visible()
        page.locator(".row-changes details").evaluate_all(
            "folds => folds.forEach((fold) => { fold.open = true; })"
        )
        views = (View("light", PHONE), View("dark", 390), View("dark", DESK))
        assert troubles_of(page, views) == []
