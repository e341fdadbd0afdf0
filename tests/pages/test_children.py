"""A run that hands work on, the run that it handed it to, what that asks, and what an agent remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import User
from approvals.models import ApprovalRequest
from tests.agents.bank import Bank, tools_of
from tests.agents.conftest import Counter
from tests.agents.lines import Line, child_of, hand
from tests.harness.looks import DESK, View, troubles_of
from tests.harness.stack import Stack
from tests.model_server import ModelServer, call, calls, final, judged

LETTER = call("read_letter", judged({"account": "A1"}))
PAY = call("pay", judged({"account": "A1", "amount": "420.00"}))
NOTE = call("remember", judged({"key": "Mayer", "text": "Pays by invoice only."}))


@pytest.fixture
def site(stack: Callable[..., Stack]) -> Stack:
    """Web alone: the runs are advanced by the test."""
    return stack().run("web")


@pytest.fixture
def line(counter: Counter, model: ModelServer, operator: User) -> Iterator[Line]:
    line = Line(model, operator)
    yield line
    line.close()


def test_a_run_its_child_what_that_asks_and_what_was_remembered_lead_to_each_other(
    site: Stack,
    line: Line,
    bank: Bank,
    reviewer: User,
    context_for: Callable[..., BrowserContext],
) -> None:
    task = "Pay the invoice of Mayer for the broken tablets, €420.00."
    line.agent("clerk", calls(LETTER), calls(NOTE), calls(PAY), tools=tools_of(bank), memory=True)
    line.agent("desk", calls(hand("clerk", task)), final(summary="Done."), delegates=["clerk"])
    run = line.start("desk", "See to the invoices of this week.")
    child = child_of(run)
    request = ApprovalRequest.objects.get(run_id=child.pk, state="pending")
    addresses = (
        f"/runs/{run.pk}/",
        f"/runs/{child.pk}/",
        f"/requests/{request.pk}/",
        "/agents/clerk/memory/",
    )
    page = context_for(reviewer, site.url).new_page()
    views = [View(scheme, width) for scheme in ("light", "dark") for width in (390, DESK)]
    for address in addresses:
        page.goto(address)
        assert troubles_of(page, views) == []
    follows(page, run.title, task)


def follows(page: Page, title: str, task: str) -> None:
    """From the request to the run it belongs to, to the one that handed it on, and back down."""
    page.goto(page.url.replace(page.url.split("/", 3)[3], "runs/"))
    handed_on = page.get_by_role("row").filter(has_text=task)
    expect(handed_on).to_contain_text("Handed on by another agent")
    page.get_by_role("link", name=title).click()
    expect(page.locator("#run-waits")).to_contain_text("Waits for")
    page.locator("#run-waits").get_by_role("link", name=task).click()
    expect(page.locator("#run-parent")).to_contain_text(
        f"Part of Desk, which handed this over: {title}"
    )
    page.locator("#run-waits").get_by_role("link").click()
    expect(page.locator("#request-handed-by")).to_contain_text(f"Part of Desk: {title}")
    page.locator("#request-handed-by").get_by_role("link").click()
    expect(page.locator("#run-title")).to_have_text(title)
    page.get_by_role("link", name="Open its run").click()
    expect(page.locator("#run-title")).to_have_text(task)
