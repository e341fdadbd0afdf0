"""Inbox, request and policies as they are laid out: in both themes, on a desk and on the narrowest phone."""

from __future__ import annotations

import re
from dataclasses import asdict

import pytest
from playwright.sync_api import expect

from accounts.models import User
from agents.amounts import raising
from agents.drift import NEW, OLD
from approvals.schemas import (
    Cell,
    Fact,
    Link,
    Message,
    Preview,
    Requirements,
    RowChange,
    TextChange,
)
from approvals.vocabulary import Friction, Kind
from demo.seed import seed
from tests.approvals.till import one_of
from tests.harness.looks import EVERY_VIEW, PHONE, troubles_of
from tests.pages.live_desk import Desk, title

PHONE_SCREEN = {"width": PHONE, "height": 640}


def look(desk: Desk, user: User, paths: list[str]) -> list[str]:
    """The troubles of these pages in both themes, and on a phone."""
    found = []
    page = desk.context_for(user, desk.site.url).new_page()
    # Many pages one after the other, beside other tests.
    page.set_default_navigation_timeout(60_000)
    for path in paths:
        page.goto(path)
        expect(page.locator("#live-pill")).to_be_visible()
        if "mode=edit" in path:
            page.get_by_label(re.compile("Amount")).fill("33.50")
        found += troubles_of(page, EVERY_VIEW)
    return found


@pytest.mark.timeout(400)
def test_inbox_and_requests_are_sound_in_both_themes_and_as_narrow_as_a_phone(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    waits = desk.request(amount="20.00", rationale="Charged twice, says the ticket.")
    typed = desk.request(amount="4200.00", needs=Requirements(friction=Friction.TYPED))
    edited = desk.request(amount="35.00", needs=one_of("finance", "support"))
    changed = {**edited.arguments, "amount": "36.00"}
    desk.decide(edited, second_reviewer, "edit", arguments=changed)
    ways = [asdict(way) for way in (OLD, NEW)]
    choosing = desk.request(
        kind=Kind.ATTENTION, question={"question": "How does it go on?", "choices": ways}
    )
    word = "Donaudampfschifffahrtsgesellschaftskapitän" * 4
    address = f"https://example.com/{'a' * 300}"
    facts = (Fact(label=word, value=address), Fact(label="City", value=word))
    long = desk.request(preview=Preview(title=word, summary=address, facts=facts))
    decided = desk.request(amount="50.00", needs=Requirements(undo_seconds=60))
    desk.decide(decided, second_reviewer)
    paths = [
        "/inbox/",
        "/inbox/?tab=mine",
        f"/requests/{waits.pk}/?tab=team&mode=edit",
        f"/requests/{waits.pk}/?tab=team&mode=reject",
        f"/requests/{typed.pk}/?tab=team",
        f"/requests/{edited.pk}/?tab=team",
        f"/requests/{choosing.pk}/?tab=team",
        f"/requests/{long.pk}/?tab=team",
        f"/requests/{decided.pk}/?tab=decided",
    ]
    assert look(desk, reviewer, paths) == []


def full_preview() -> Preview:
    """What a tool may show, all of it at once, and more of each than fits a line."""
    row = (Cell(column="City", before="Wien", after="Vienna"), Cell(column="Country", after="AT"))
    return Preview(
        title="Write to 3 customers about their invoices",
        summary="The letter goes out at once.",
        facts=(Fact(label="Customers", value="3"), Fact(label="Language", value="English")),
        message=Message(
            to=("first@example.org", "second@example.org"),
            cc=("books@example.org",),
            subject="Your invoice of October",
            text="Dear customer,\n\nyour invoice is attached.",
            html="<h1>Your invoice</h1><p>Dear customer, <b>your invoice</b> is attached.</p>",
        ),
        rows=(
            RowChange(title="Customer 4711", what="changed", cells=row),
            RowChange(title="Customer 4712", what="added", cells=row[1:]),
            RowChange(
                title="Customer 4713", what="deleted", cells=(Cell(column="City", before="Graz"),)
            ),
        ),
        texts=(
            TextChange(
                label="Terms",
                before="Paid within 14 days.\nBy transfer.\nIn euros.",
                after="Paid within 30 days.\nBy transfer.\nIn euros, or by card.",
            ),
        ),
        links=(Link(label="Invoice", url=f"https://example.com/invoices/{'7' * 60}"),),
        warnings=("Two of the customers were written to yesterday.",),
    )


@pytest.mark.timeout(400)
def test_every_kind_of_request_and_everything_a_tool_may_show_is_sound(
    desk: Desk, reviewer: User
) -> None:
    evidence = (
        {
            "step": 2,
            "tool": "read_ticket",
            "trust": "untrusted",
            "arguments": {"ticket": "7"},
            "result": {
                "subject": "Charged twice",
                "lines": [{"order": "10291", "amount": "20.00"}],
            },
        },
    )
    asked = [
        desk.request(preview=full_preview(), evidence=evidence),
        desk.request(
            kind=Kind.QUESTION,
            question={
                "question": "Which of the two orders is meant?",
                "answer_type": "choice",
                "choices": ["10291", "10292"],
                "schema": {"type": "string", "enum": ["10291", "10292"]},
            },
        ),
        desk.request(
            kind=Kind.QUESTION,
            question={
                "question": "What is the customer told?",
                "answer_type": "text",
                "choices": [],
                "schema": {"type": "string", "minLength": 1, "maxLength": 5_000},
            },
        ),
        desk.request(
            kind=Kind.BUDGET,
            question={
                "question": "Raise the limit of cost, and by how much? Or stop the run.",
                "caps": {"cost_micros": 250_000},
                "raising": {
                    "cost_micros": raising("cost_micros", {"used": 250_000, "limit": 250_000})
                },
            },
        ),
        desk.request(
            kind=Kind.IN_DOUBT,
            question={
                "question": "Did it happen?",
                "arguments": {"order": "10291", "amount": "20.00"},
                "compensate": "by_hand",
                "reported": {"receipt": "R-1"},
            },
        ),
        desk.request(
            kind=Kind.HAND_BACK,
            initiator=reviewer.pk,
            question={"question": "What does the agent need to know to go on?"},
        ),
    ]
    assert {Kind(request.kind) for request in asked} == {*Kind} - {Kind.ATTENTION, Kind.RESULT}
    assert look(desk, reviewer, [f"/requests/{request.pk}/?tab=team" for request in asked]) == []


@pytest.mark.timeout(400)
def test_policies_are_sound_in_both_themes_and_as_narrow_as_a_phone(
    desk: Desk, admin: User
) -> None:
    seed()
    admin.refresh_from_db()
    paths = ["/policies/", "/policies/?line=new", "/policies/?line=risk%3Dhigh", "/policies/2/"]
    assert look(desk, admin, paths) == []


def test_on_a_phone_the_list_gives_way_to_the_request_and_comes_back(
    desk: Desk, reviewer: User
) -> None:
    desk.request(amount="20.00")
    page = desk.page(reviewer, viewport=PHONE_SCREEN, has_touch=True)
    page.locator(".row").tap()
    expect(title(page)).to_be_focused()
    expect(page.locator("#rows")).to_be_hidden()
    expect(page).to_have_url(re.compile("/requests/"))
    page.locator(".request-back").tap()
    expect(page.locator("#rows")).to_be_visible()
    expect(title(page)).to_have_count(0)
