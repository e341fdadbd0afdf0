"""The inbox by keyboard: everything can be reached, and nothing is decided by a slip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import APIResponse, Page, Route, expect

from accounts.keymap import ACTIONS
from accounts.models import User
from approvals.models import Vote
from approvals.schemas import Requirements
from approvals.vocabulary import Friction, Risk
from tests.approvals.till import one_of, refund
from tests.harness.browser import Troubles
from tests.pages.live_desk import Desk, grow_old, posts, row, title, verdict
from tests.pages.pressed_keys import Keys

WAITS = Requirements(undo_seconds=30)
AS_SOON_AS_SHOWN = """() => {
  new MutationObserver((_, observer) => {
    observer.disconnect();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
    window.pressed = true;
  }).observe(document.getElementById("detail"), { childList: true });
}"""
AS_SOON_AS_CHANGED = """() => {
  new MutationObserver((_, observer) => {
    observer.disconnect();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
    window.pressed = true;
  }).observe(document.getElementById("request"), { attributeFilter: ["data-revision"] });
}"""
AS_IF = """(init) => document.body.dispatchEvent(
  new KeyboardEvent("keydown", { key: "a", bubbles: true, ...init }))"""


@dataclass
class Held:
    route: Route
    answer: APIResponse


class HeldAnswers:
    """The server's answers to one address, which reach the page when the test says so.

    `next` lets everything through until the server says what `wanted` looks for, and keeps that
    answer back.
    """

    def __init__(self, page: Page, pattern: str) -> None:
        self.page = page
        self.held: list[Held] = []
        page.route(pattern, lambda route: self.held.append(Held(route, route.fetch())))

    def next(self, desk: Desk, wanted: Callable[[str], bool]) -> Held:
        while True:
            desk.site.wait_for(self._heard, 15, "the page asks for its list")
            held = self.held.pop(0)
            if wanted(held.answer.text()):
                return held
            self.let_through(held)

    def let_through(self, held: Held) -> None:
        held.route.fulfill(response=held.answer)

    def _heard(self) -> bool:
        # Playwright tells of requests only while it is called.
        self.page.evaluate("0")
        return bool(self.held)


def test_every_key_that_the_overlay_names_does_what_it_says(desk: Desk, reviewer: User) -> None:
    first = desk.request(amount="20.00", needs=WAITS)
    desk.request(amount="30.00")
    page = desk.page(reviewer)
    keys = Keys(page)
    keys.read()
    for action in ("next", "next", "previous", "open"):
        keys.press(action)
    expect(title(page)).to_have_text("Refund €20.00 to Acme GmbH")
    chips = "[name=reason_code]"
    for action, field in (("edit", "[data-edit] input"), ("reject", chips), ("send_back", chips)):
        keys.press(action)
        expect(page.locator(field).first).to_be_focused()
        title(page).focus()
        keys.press("back")
        expect(verdict(page)).to_be_visible()
    for before, after in (("Claim", "Let go"), ("Let go", "Claim")):
        expect(page.locator(".claim-form")).to_contain_text(before)
        keys.press("claim")
        expect(page.locator(".claim-form")).to_contain_text(after)
    snoozed = page.locator(".request-tags").get_by_text("Snoozed until")
    for number in (1, 0):
        keys.press("snooze")
        expect(snoozed).to_have_count(number)
    grow_old(page)
    keys.press("approve")
    desk.becomes(first, "approved")
    expect(page.locator("#standing")).to_contain_text("Approved by reviewer")
    keys.press("undo")
    desk.becomes(first, "pending")
    expect(verdict(page)).to_be_enabled()
    keys.press("open_next")
    expect(title(page)).to_have_text("Refund €30.00 to Acme GmbH")
    keys.press("open_previous")
    expect(title(page)).to_have_text("Refund €20.00 to Acme GmbH")
    keys.press("back")
    expect(page.locator(".rest")).to_be_visible()
    keys.press("next")
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Refund €30.00 to Acme GmbH")
    third = desk.request(amount="40.00", action=refund("40.00", risk=Risk.MEDIUM))
    expect(page.locator("#new-rows")).to_contain_text("1 new")
    keys.press("accept")
    row(page, third).locator("a").focus()
    keys.press("select")
    expect(row(page, third).get_by_role("checkbox")).to_be_checked()
    # The places are gone to in test_keys_everywhere.py.
    assert {name for name in ACTIONS if ACTIONS[name].group != "go"} <= keys.shown
    assert keys.missed("list", "request") == set()


def test_a_list_that_was_asked_for_before_an_undo_does_not_close_its_row(
    desk: Desk, reviewer: User
) -> None:
    first = desk.request(amount="20.00", needs=WAITS)
    desk.request(amount="30.00")
    page = desk.open(reviewer, first)
    lists = HeldAnswers(page, "**/inbox/rows/*")
    page.keyboard.press("a")
    expect(page.locator("[data-undo]")).to_be_visible()
    stale = lists.next(desk, lambda text: "20.00" not in text)
    page.keyboard.press("u")
    expect(verdict(page)).to_be_enabled()
    lists.let_through(stale)
    # The list is asked for once more: what the stale one said was read.
    lists.next(desk, lambda text: "20.00" in text)
    expect(row(page, first)).not_to_contain_class("closed")
    page.keyboard.press("]")
    expect(title(page)).to_have_text("Refund €30.00 to Acme GmbH")
    page.keyboard.press("[")
    expect(title(page)).to_have_text("Refund €20.00 to Acme GmbH")


def test_an_item_that_has_only_just_appeared_is_not_approved_by_a_key(
    desk: Desk, reviewer: User
) -> None:
    desk.request(amount="20.00")
    second = desk.request(amount="30.00")
    page = desk.page(reviewer)
    sent = posts(page)
    page.evaluate(AS_SOON_AS_SHOWN)
    row(page, second).click()
    page.wait_for_function("() => window.pressed")
    grow_old(page)
    assert sent == []
    page.keyboard.press("a")
    desk.becomes(second, "approved")
    assert len(sent) == 1


def test_a_key_approves_nothing_that_changed_under_it_before_it_could_be_read(
    desk: Desk, reviewer: User, second_reviewer: User, bystanders: list[User], troubles: Troubles
) -> None:
    troubles.expect("409")
    request = desk.request(needs=one_of("finance", "support"))
    page = desk.open(reviewer, request)
    given = Vote.objects.filter(request=request, user=reviewer)
    fragments = HeldAnswers(page, f"**/requests/{request.pk}/?*")
    edited = {**request.arguments, "amount": "35.00"}
    desk.decide(request, second_reviewer, "edit", arguments=edited)
    # The page has asked what became of it, and still shows what was.
    late = fragments.next(desk, lambda text: "35.00" in text)
    expect(page.locator("#arguments")).not_to_contain_text("35.00")
    with page.expect_response("**/decide/") as answer:
        page.keyboard.press("a")
    assert answer.value.status == 409
    conflict = page.locator("#conflict")
    expect(conflict).to_contain_text("It changed since you opened it")
    expect(conflict).to_contain_text("Nothing that you sent took effect.")
    expect(page.locator("#arguments ins")).to_contain_text("35.00")
    fragments.let_through(late)
    page.unroute_all()
    expect(conflict).to_be_focused()
    assert not given.exists()
    # It is replaced where it stands, and the key is pressed in the same moment.
    sent = posts(page)
    page.evaluate(AS_SOON_AS_CHANGED)
    edited["amount"] = "40.00"
    desk.decide(request, bystanders[0], "edit", arguments=edited)
    page.wait_for_function("() => window.pressed")
    expect(page.locator("#arguments ins")).to_contain_text("40.00")
    grow_old(page)
    assert sent == []
    page.keyboard.press("a")
    desk.site.wait_for(given.exists, 15, "what was read is approved")
    assert given.get().revision == 3


def test_what_is_critical_is_never_approved_by_a_key(desk: Desk, reviewer: User) -> None:
    request = desk.request(action=refund(risk=Risk.CRITICAL))
    page = desk.open(reviewer, request)
    sent = posts(page)
    page.keyboard.press("a")
    page.keyboard.press("c")
    expect(page.locator("[data-claimed]")).to_be_visible()
    assert not any("decide" in url for url in sent)
    # Nor by a click alone, whatever the policy asks for.
    expect(verdict(page)).to_be_disabled()
    page.locator("#typed").fill("Acme GmbH")
    verdict(page).click()
    expect(page.locator(".vote")).to_have_text("reviewer approved")


def test_keys_decide_nothing_while_another_row_than_the_open_one_is_pointed_at(
    desk: Desk, reviewer: User
) -> None:
    other, opened = desk.request(amount="20.00"), desk.request(amount="30.00")
    page = desk.open(reviewer, opened)
    sent = posts(page)
    forms: list[str] = []
    page.on("request", lambda asked: forms.append(asked.url) if "mode=" in asked.url else None)
    row(page, other).locator(".row-link").focus()
    for key in ("e", "/", "r", "a"):
        page.keyboard.press(key)
    expect(page.locator("#live-region")).to_contain_text("Open it first.")
    assert sent == []
    row(page, opened).locator(".row-link").focus()
    page.keyboard.press("a")
    desk.becomes(opened, "approved")
    assert forms == []
    other.refresh_from_db()
    assert other.state == "pending"


def test_whoever_goes_to_a_row_while_a_form_closes_stays_on_it(desk: Desk, reviewer: User) -> None:
    first, following = desk.request(amount="20.00"), desk.request(amount="30.00")
    page = desk.open(reviewer, first)
    page.keyboard.press("r")
    expect(page.locator("[name=reason_code]").first).to_be_focused()
    title(page).focus()
    late: list[Route] = []
    page.route(f"**/requests/{first.pk}/?*", lambda route: late.append(route))  # noqa: PLW0108
    page.keyboard.press("Escape")
    desk.site.wait_for(lambda: page.evaluate("0") or bool(late), 15, "the form is to be closed")
    page.keyboard.press("j")
    link = row(page, following).locator(".row-link")
    expect(link).to_be_focused()
    for route in late:
        route.continue_()
    expect(verdict(page)).to_be_visible()
    # Where it was swapped in, the focus is placed at once.
    page.evaluate("() => new Promise((done) => setTimeout(done))")
    expect(link).to_be_focused()


def test_what_has_to_be_typed_is_approved_once_it_is_typed_and_not_by_a_key(
    desk: Desk, reviewer: User
) -> None:
    request = desk.request(needs=Requirements(friction=Friction.TYPED))
    page = desk.open(reviewer, request)
    sent = posts(page)
    page.keyboard.press("a")
    expect(verdict(page)).to_be_disabled()
    page.locator("#typed").fill("Acme")
    page.locator("#typed").press("Enter")
    expect(verdict(page)).to_be_disabled()
    expect(verdict(page, "approve")).to_have_attribute("aria-disabled", "true")
    assert sent == []
    page.locator("#typed").fill("Acme  GmbH ")
    expect(verdict(page)).to_be_enabled()
    page.locator("#request-title").focus()
    page.keyboard.press("a")
    page.keyboard.press("j")
    assert sent == []
    verdict(page).click()
    desk.becomes(request, "approved")


def test_keys_are_nothing_in_fields_in_dialogs_on_repeat_and_with_modifiers(
    desk: Desk, reviewer: User
) -> None:
    request = desk.request()
    page = desk.open(reviewer, request)
    sent = posts(page)
    comment = page.locator("#comment-text")
    comment.press_sequentially("a are /?")
    expect(comment).to_have_value("a are /?")
    page.locator("#inbox-search").press("a")
    title(page).focus()
    page.keyboard.press("?")
    expect(page.locator("#key-help")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    expect(page.locator("#key-help")).to_be_hidden()
    page.locator(".account summary").click()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    expect(page.locator(".menu-body")).to_be_hidden()
    expect(title(page)).to_be_visible()
    for init in ({"repeat": True}, {"isComposing": True}, {"keyCode": 229}):
        page.evaluate(AS_IF, init)
    for held in ("ctrlKey", "metaKey", "altKey", "shiftKey"):
        page.evaluate(AS_IF, {held: True})
    page.keyboard.press("Shift+A")
    assert sent == []
    page.evaluate(AS_IF, {})
    desk.becomes(request, "approved")


def test_a_reason_is_picked_by_its_number_and_a_digit_in_the_words_is_a_digit(
    desk: Desk, reviewer: User
) -> None:
    request = desk.request()
    page = desk.open(reviewer, request)
    sent = posts(page)
    # No form is open: numbers are nothing.
    page.keyboard.press("2")
    page.keyboard.press("r")
    chips = page.locator("[name=reason_code]")
    expect(chips.first).to_be_focused()
    page.keyboard.press("2")
    expect(page.get_by_role("radio", name="Wrong recipient")).to_be_checked()
    page.keyboard.press("9")
    expect(page.get_by_role("radio", name="Wrong recipient")).to_be_checked()
    page.keyboard.press("0")
    expect(page.get_by_role("radio", name="Other")).to_be_checked()
    words = page.locator("#id_reason")
    words.press_sequentially("12 are too many")
    expect(words).to_have_value("12 are too many")
    expect(page.get_by_role("radio", name="Other")).to_be_checked()
    title(page).focus()
    page.keyboard.press("1")
    expect(page.get_by_role("radio", name="Wrong amount")).to_be_checked()
    assert sent == []
    # What was picked is a draft like what was typed.
    page.reload()
    expect(page.locator("#live-pill")).to_have_text("Live")
    page.keyboard.press("r")
    expect(page.get_by_role("radio", name="Wrong amount")).to_be_checked()
    expect(words).to_have_value("12 are too many")
    page.get_by_role("radio", name="Wrong amount").press("Enter")
    desk.becomes(request, "rejected")
    expect(page.locator("#standing")).to_contain_text("Wrong amount")
    request.refresh_from_db()
    assert request.reason_label == "Wrong amount"
    assert request.feedback == "12 are too many"


def test_g_and_a_letter_go_places_approve_nothing_and_back_leads_to_the_whole_page(
    desk: Desk, reviewer: User
) -> None:
    first = desk.request(amount="20.00")
    desk.request(amount="30.00")
    page = desk.open(reviewer, first)
    sent = posts(page)
    page.keyboard.press("]")
    expect(title(page)).to_have_text("Refund €30.00 to Acme GmbH")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/agents/")
    page.go_back()
    expect(title(page)).to_have_text("Refund €30.00 to Acme GmbH")
    expect(page.locator("#live-pill")).to_have_text("Live")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs/")
    assert sent == []


def test_new_rows_wait_for_the_key_and_a_decided_row_leaves_at_the_next_move(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    first = desk.request(amount="20.00")
    second = desk.request(amount="30.00")
    page = desk.page(reviewer)
    page.keyboard.press("j")
    expect(row(page, first).locator("a")).to_be_focused()
    third = desk.request(amount="40.00")
    expect(page.locator("#new-rows")).to_contain_text("1 new")
    expect(page.locator("#inbox-badge")).to_have_text("3 waiting")
    expect(page.locator("[data-count-of=team]")).to_have_text("3")
    expect(row(page, third)).to_have_count(0)
    desk.decide(second, second_reviewer)
    expect(row(page, second)).to_have_class("row closed")
    expect(row(page, second)).to_contain_text("Approved by second-reviewer")
    expect(page.locator("#inbox-badge")).to_have_text("2 waiting")
    expect(row(page, first).locator("a")).to_be_focused()
    page.keyboard.press(".")
    expect(row(page, third)).to_be_visible()
    expect(row(page, second)).to_have_count(0)
    expect(page.locator("#new-rows")).to_be_hidden()
    expect(row(page, first).locator("a")).to_be_focused()
    desk.decide(first, second_reviewer, "reject", reason="No.")
    expect(row(page, first)).to_have_class("row closed")
    page.keyboard.press("j")
    expect(row(page, third).locator("a")).to_be_focused()
    expect(row(page, first)).to_have_count(0)
