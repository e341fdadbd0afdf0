"""An admin raises a threshold, sees what it would have changed, submits it, another publishes it, and the
next run behaves so."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from accounts.models import User
from agents.models import Run
from agents.registry import get
from approvals.models import ApprovalRequest, PolicyVersion
from tests.harness.client import ApiClient
from tests.harness.stack import Stack

PageFor = Callable[..., Page]
RULE = "Refunds up to €50 for the refund desk"


def clear_ticket(site: Stack, operator: User) -> tuple[str, Run]:
    """An example of the demo that runs by itself, once it has."""
    desk = ApiClient(site, operator)
    for example in get("refund-desk").examples:
        run = desk.start("refund-desk", str(example.input))
        site.wait_for(
            lambda run=run: Run.objects.filter(pk=run, state__in=["waiting", "succeeded"]).exists(),
            what="the run has come to rest",
        )
        found = Run.objects.get(pk=run)
        if found.state == "succeeded" and site.provider_calls():
            return str(example.input), found
    raise LookupError("no example of the demo refunds by itself")


def test_a_threshold_from_the_simulator_to_the_next_run(
    site: Stack, page_for: PageFor, operator: User, admin: User, second_admin: User
) -> None:
    text, _ = clear_ticket(site, operator)
    refunded = len(site.provider_calls())

    page = page_for(admin)
    page.goto("/policies/")
    rule = page.locator(".rules li", has_text=RULE)
    rule.get_by_role("link", name=re.compile("Change its threshold")).click()
    page.get_by_label("Threshold", exact=True).fill("1")
    page.get_by_label("Why").fill("Two refunds went wrong last week.")
    page.get_by_role("button", name="Keep in a draft").click()
    expect(page.get_by_text(f"Rule “{RULE}”: threshold from 0.80 to 1.00.")).to_be_visible()
    expect(page.get_by_text("It only tightens: nothing")).to_be_visible()
    draft = page.url

    # What it would have done with what happened so far.
    page.get_by_role("button", name="Simulate").click()
    expect(page.get_by_role("heading", name="0 actions would newly run unseen")).to_be_visible()
    expect(page.get_by_text(re.compile("[1-9][0-9]* would newly wait for people"))).to_be_visible()
    expect(page.locator("svg.curve")).to_be_visible()

    page.goto(draft)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.locator(".page-head .chip", has_text="Submitted")).to_be_visible()

    other = page_for(second_admin)
    other.goto("/policies/")
    other.get_by_role("link", name=re.compile("Two refunds went wrong")).click()
    expect(other.get_by_text("Somebody else wrote it.")).to_be_visible()
    other.get_by_role("button", name="Publish", exact=True).click()
    expect(other.get_by_text(re.compile("Version [0-9]+ is in force")).first).to_be_visible()
    row = PolicyVersion.objects.published().newest_first()[0]
    assert (row.author, row.published_by) == (admin, second_admin)

    run = ApiClient(site, operator).start("refund-desk", text)
    site.wait_for(
        lambda: Run.objects.filter(pk=run, state="waiting").exists(), what="the next run waits"
    )
    request = ApprovalRequest.objects.get(run_id=run)
    assert (request.tool, request.policy_version) == ("issue_refund", row.number)
    assert "below_threshold" in {reason["code"] for reason in request.reasons}
    assert len(site.provider_calls()) == refunded
