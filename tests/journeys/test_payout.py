"""Paying a supplier, as people do it: an invoice becomes a payment that two people approved, once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from agents.models import Run
from demo.payables import SupplierMail, SupplierPayment
from tests.harness.looks import EVERY_VIEW, troubles_of
from tests.harness.stack import Stack

PageFor = Callable[..., Page]
TITLE = "Pay €12,400.00 to Rackwerk AG"


def standing(page: Page, state: str) -> Any:
    """The stage of the run's page with that standing."""
    return page.locator(f'#run-stages .stage[data-standing="{state}"]')


def approve(page: Page) -> None:
    """Approve the payment from the inbox."""
    page.goto("/inbox/")
    page.locator(".row-link", has_text=TITLE).click()
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    page.get_by_role("button", name=re.compile("^Approve")).click()


@pytest.mark.timeout(400)
def test_a_payout_from_invoice_to_mail_with_two_people(
    site: Stack,
    page_for: PageFor,
    operator: User,
    reviewer: User,
    second_reviewer: User,
) -> None:
    desk = page_for(operator)
    desk.goto("/agents/supplier-payout/")
    expect(desk.locator("#agent-stages")).to_contain_text("Read, asks the model")
    desk.get_by_role("link", name=re.compile("A large one: two people of Finance decide")).click()
    desk.get_by_role("button", name=re.compile("^Start")).click()
    desk.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/"))

    # It stands at the proposal; what came before is behind it.
    expect(standing(desk, "here")).to_have_text("Propose, here now", timeout=30_000)
    expect(standing(desk, "been")).to_have_count(4)
    expect(standing(desk, "ahead")).to_have_count(4)
    (found,) = re.findall(r"/runs/([0-9a-f-]{36})/", desk.url)

    first, second = page_for(reviewer), page_for(second_reviewer)
    approve(first)
    expect(first.locator(".need-count")).to_have_text("1 of 2")
    assert not any(call["payout"] for call in site.provider_calls())
    approve(second)
    expect(second.locator("#standing")).to_contain_text("Approved")

    expect(desk.get_by_text("Succeeded").first).to_be_visible(timeout=30_000)
    expect(standing(desk, "end")).to_have_text("Paid, ended here")
    expect(desk.locator("#run-answer")).to_contain_text("€12,400.00 was paid for INV-3002")
    (made,) = [call["payout"] for call in site.provider_calls() if call["payout"]]
    assert (made["amount"], made["account"]) == ("12400.00", "DE02500105170137075030")
    assert SupplierPayment.objects.get(invoice__number="INV-3002").state == "paid"
    assert SupplierMail.objects.get(invoice__number="INV-3002").recipient == (
        "billing@rackwerk-ag.example"
    )
    assert Run.objects.get(pk=found).model_calls == 1

    looked = []
    for path in (f"/runs/{found}/", "/agents/supplier-payout/"):
        desk.goto(path)
        expect(desk.locator(".stages").first).to_be_visible()
        looked += troubles_of(desk, EVERY_VIEW)
    assert looked == []
