"""Kill switches in real browsers: one sets it, and open pages say so without being loaded again."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from demo.agents import refund_desk
from tests.harness.stack import Stack

PageFor = Callable[..., Page]


def test_open_pages_hear_of_a_switch_that_is_set_and_lifted(
    site: Stack, page_for: PageFor, admin: User, reviewer: User, operator: User
) -> None:
    run, _ = start_run(
        agent="refund-desk",
        input=refund_desk.examples[0].input,
        caller=Caller.of_session(operator),
    )
    site.wait_for(
        lambda: Run.objects.filter(pk=run.pk, state="waiting").exists(), what="the run is waiting"
    )
    request = ApprovalRequest.objects.get(run_id=run.pk)
    desk, watcher, office = page_for(reviewer), page_for(operator), page_for(admin)
    desk.goto(f"/requests/{request.pk}/")
    watcher.goto(f"/runs/{run.pk}/")
    for page in (desk, watcher):
        expect(page.locator("#live-pill")).to_have_text("Live")
    office.goto("/kill-switches/")
    office.get_by_role("link", name="Switch something off").click()
    office.get_by_label("What is switched off?").select_option("global::")
    office.get_by_label("Why?").fill("The bank is closed.")
    office.get_by_label(re.compile("Stop it now")).check()
    office.get_by_role("button", name="Switch it off").click()
    expect(office.locator("#kill-switches")).to_contain_text("Holds back")
    for page in (desk, watcher):
        expect(page.locator("#switch-banner")).to_contain_text("The bank is closed.")
    expect(desk.locator("#stopped-banner")).to_contain_text("It can be decided as ever")
    expect(watcher.locator("#run-stands")).to_contain_text("Everything is switched off")
    desk.get_by_role("button", name=re.compile("^Approve")).click()
    expect(desk.locator("#operation")).to_contain_text("Held back by a kill switch")
    # What is held back is counted while it changes, without a reload.
    expect(office.locator("#kill-switches")).to_contain_text("1 run, 1 approved call")
    office.get_by_role("link", name=re.compile("^Lift")).click()
    office.get_by_label("Why may it go on?").fill("It is open again.")
    office.get_by_label(re.compile("Let it go on now")).check()
    office.get_by_role("button", name="Lift the switch").click()
    expect(office.locator("#kill-switches")).to_contain_text("Nothing is switched off")
    for page in (desk, watcher):
        expect(page.locator("#switch-banner")).not_to_contain_text("switched off")
    expect(desk.locator("#operation")).to_contain_text("Succeeded")
    expect(watcher.locator("#run-tags")).to_contain_text("Succeeded")
