"""The open request: never replaced under a draft, live without one, and honest about what it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from playwright.sync_api import Page, Response, Route, expect

from accounts.models import User
from approvals.models import ApprovalRequest, Viewing, Vote
from approvals.schemas import Requirements
from approvals.services.claim import claim
from approvals.services.consume import consume
from audit.actors import Actor
from audit.clock import database_now
from tests.approvals.till import by, events_of, one_of
from tests.harness.browser import Troubles
from tests.pages.live_desk import Desk, grow_old, posts, row, title, verdict

REASON = "The customer has been paid already."
DONE = {"reject": "rejected", "send_back": "sent back"}
RENEWAL_SECONDS = 31
DAY_SECONDS = 24 * 60 * 60


def claim_ends(request: ApprovalRequest) -> Any:
    return ApprovalRequest.objects.values_list("claim_expires_at", flat=True).get(pk=request.pk)


def holder(request: ApprovalRequest) -> str:
    return ApprovalRequest.objects.values_list("claimed_by__username", flat=True).get(pk=request.pk)


class Racer:
    """Somebody with a reason typed into the form of a verdict, whose post is held until the test lets it go."""

    def __init__(
        self, desk: Desk, request: ApprovalRequest, user: User, verdict: str, reason: str
    ) -> None:
        self.user, self.verdict, self.reason = user, verdict, reason
        self.held: list[Route] = []
        self.answers: list[Response] = []
        self.page = desk.open(user, request, f"&mode={verdict}")
        self.page.locator("#id_reason").fill(reason)
        self.page.route("**/decide/", self._hold)
        self.page.on("response", self._note)

    def _hold(self, route: Route) -> None:
        self.held.append(route)

    def _note(self, answer: Response) -> None:
        if answer.url.endswith("/decide/"):
            self.answers.append(answer)

    def send(self) -> None:
        verdict(self.page, self.verdict).click()

    def is_held(self) -> bool:
        return self._heard(self.held)

    def is_answered(self) -> bool:
        return self._heard(self.answers)

    def _heard(self, seen: Sequence[object]) -> bool:
        # Playwright tells of requests only while it is called.
        self.page.evaluate("0")
        return bool(seen)


def cut_socket(page: Page) -> None:
    """Let no hint through to this page."""
    page.route_web_socket("**/ws/inbox/", lambda socket: None)


def look(page: Page) -> None:
    """As when the reader comes back to the tab.

    A browser on a machine without any network counts itself offline from the start, and tells its
    pages nothing when it is cut off.
    """
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_draft_is_kept_for_its_item_until_it_is_sent(desk: Desk, reviewer: User) -> None:
    first = desk.request(amount="20.00")
    second = desk.request(amount="30.00")
    page = desk.open(reviewer, first)
    page.locator("#comment-text").fill("Ask them first.")
    page.keyboard.press("Tab")
    title(page).focus()
    page.keyboard.press("r")
    page.locator("#id_reason").fill(REASON)
    row(page, second).click()
    expect(title(page)).to_have_text("Refund €30.00 to Acme GmbH")
    expect(page.locator("#comment-text")).to_have_value("")
    page.goto(f"/requests/{first.pk}/?tab=team&mode=reject")
    expect(page.locator("#id_reason")).to_have_value(REASON)
    expect(page.locator("#comment-text")).to_have_value("Ask them first.")
    page.locator(".comment-form button").click()
    expect(page.locator(".comment-text")).to_have_text("Ask them first.")
    expect(page.locator("#comment-text")).to_have_value("")
    page.goto(f"/requests/{first.pk}/?tab=team&mode=reject")
    expect(page.locator("#id_reason")).to_have_value(REASON)
    verdict(page, "reject").click()
    desk.becomes(first, "rejected")
    expect(page.locator("#standing")).to_contain_text(REASON)
    assert (
        page.evaluate("() => Object.keys(sessionStorage).filter((k) => k.startsWith('draft'))")
        == []
    )


def test_without_a_draft_the_open_request_follows_by_itself(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    request = desk.request(needs=one_of("finance", "support"))
    page = desk.open(reviewer, request)
    page.locator("summary", has_text="Revision 1").click()
    claim(request_id=request.pk, caller=by(second_reviewer), take_over=True)
    expect(page.locator(".claim")).to_have_text("second-reviewer is looking at it")
    expect(page.locator("details.fold[open]", has_text="Revision 1")).to_be_visible()
    desk.decide(request, second_reviewer, "reject", reason="Paid already.")
    expect(page.locator("#standing")).to_contain_text("Rejected by second-reviewer")
    expect(verdict(page)).to_have_count(0)
    expect(page.locator("#live-region")).to_contain_text("Rejected by second-reviewer")


def test_a_draft_is_never_replaced_and_the_verdict_is_armed_again_by_comparing(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    request = desk.request(amount="20.00", needs=one_of("finance", "support"))
    page = desk.open(reviewer, request)
    page.keyboard.press("/")
    page.locator("#id_reason").fill(REASON)
    desk.decide(
        request, second_reviewer, "edit", arguments={**request.arguments, "amount": "35.00"}
    )
    banner = page.locator("#changed-banner")
    expect(banner).to_be_visible()
    expect(page.locator("#id_reason")).to_have_value(REASON)
    expect(page.locator("#arguments")).not_to_contain_text("35.00")
    expect(verdict(page, "send_back")).to_be_disabled()
    sent = posts(page)
    verdict(page, "send_back").dispatch_event("click")
    page.locator("#decide-form").evaluate("(form) => form.requestSubmit()")
    assert sent == []
    assert not Viewing.objects.filter(request=request, user=reviewer, revision=2).exists()
    banner.get_by_text("Compare").click()
    expect(banner).to_be_hidden()
    expect(page.locator("#arguments ins")).to_contain_text("35.00")
    expect(page.locator("#id_reason")).to_have_value(REASON)
    verdict(page, "send_back").click()
    desk.becomes(request, "superseded")


def test_what_is_said_beside_a_draft_leaves_the_verdict_armed(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    request = desk.request()
    page = desk.open(reviewer, request)
    page.keyboard.press("r")
    page.locator("#id_reason").fill(REASON)
    claim(request_id=request.pk, caller=by(second_reviewer), take_over=True)
    expect(page.locator("#changed-banner")).to_be_visible()
    expect(verdict(page, "reject")).to_be_enabled()
    verdict(page, "reject").click()
    desk.becomes(request, "rejected")


def test_of_two_who_decide_at_once_one_wins_and_the_other_reads_who_was_faster_with_the_draft(
    desk: Desk, reviewer: User, second_reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("409")
    request = desk.request()
    people = {reviewer: ("reject", REASON), second_reviewer: ("send_back", "Ask them first.")}
    racers = [Racer(desk, request, user, *said) for user, said in people.items()]
    for racer in racers:
        racer.send()
    for racer in racers:
        desk.site.wait_for(racer.is_held, 15, "both verdicts are on their way")
    assert not Vote.objects.filter(request=request).exists()
    for racer in racers:
        racer.held[0].continue_()
    for racer in racers:
        desk.site.wait_for(racer.is_answered, 15, "both verdicts are answered")
    won, lost = sorted(racers, key=lambda racer: racer.answers[0].status)
    assert [each.answers[0].status for each in (won, lost)] == [200, 409]
    vote = Vote.objects.get(request=request)
    assert (vote.user, vote.verdict) == (won.user, won.verdict)
    happened = [event for event in events_of(request) if event != "request.shown"]
    assert happened == ["request.opened", "request.decided", "decision.refused"]
    conflict = lost.page.locator("#conflict")
    standing = f"{DONE[won.verdict]} by {won.user.get_full_name()}"
    request.refresh_from_db()
    assert request.decided_at is not None
    expect(conflict).to_contain_text(f"already closed: {standing}")
    expect(conflict.locator("time")).to_have_attribute("datetime", request.decided_at.isoformat())
    expect(conflict.locator(".draft")).to_contain_text(lost.reason)
    expect(conflict).to_be_focused()
    for racer in racers:
        expect(racer.page.locator("#standing")).to_contain_text(standing, ignore_case=True)
        # What the sockets say of it afterwards was read already.
        expect(row(racer.page, request)).to_contain_class("closed")
        expect(racer.page.locator("#conflict")).to_have_count(int(racer is lost))


def test_what_does_not_fit_comes_back_at_its_field(
    desk: Desk, reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("422")
    request = desk.request()
    page = desk.open(reviewer, request, "&mode=reject")
    page.locator("#id_reason").evaluate("(field) => field.removeAttribute('required')")
    verdict(page, "reject").click()
    expect(page.locator("#id_reason_error")).to_be_visible()
    expect(page.locator("#id_reason")).to_be_focused()


def test_each_edited_field_shows_before_and_after_as_text(desk: Desk, reviewer: User) -> None:
    request = desk.request(amount="20.00")
    page = desk.open(reviewer, request, "&mode=edit")
    amount = page.locator("[data-edit]", has=page.get_by_label("Amount"))
    amount.locator("input").fill("35.00")
    expect(amount.locator("del")).to_have_text("Before: 20.00")
    expect(amount.locator("ins")).to_have_text("After: 35.00")
    note = page.locator("[data-edit]", has=page.get_by_label("Note"))
    note.locator("input").fill("<b>bro\u200bken</b>")
    expect(note.locator("ins")).to_have_text("After: <b>broU+200Bken</b>")
    expect(note.locator("ins b")).to_have_count(0)
    amount.locator("input").fill("20.00")
    expect(amount.locator(".diff")).to_have_count(0)
    page.reload()
    expect(note.locator("ins")).to_have_text("After: <b>broU+200Bken</b>")


def test_the_time_to_take_it_back_runs_down_and_then_it_is_gone(desk: Desk, reviewer: User) -> None:
    request = desk.request(needs=Requirements(undo_seconds=2))
    page = desk.open(reviewer, request)
    page.keyboard.press("a")
    undo = page.locator("[data-undo]")
    expect(undo).to_be_visible()
    expect(undo.locator("[data-undo-left]")).to_have_text("1")
    sent = posts(page)
    late: list[Route] = []
    page.route(f"**/requests/{request.pk}/?*", lambda route: late.append(route))  # noqa: PLW0108
    expect(undo).to_be_hidden()
    # Before the page hears what became of it, and after.
    page.keyboard.press("u")
    assert late
    page.unroute_all()
    expect(undo).to_have_count(0)
    expect(page.locator("#standing")).to_contain_text("Approved by reviewer")
    page.keyboard.press("u")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert sent == []


def test_what_is_under_way_already_is_not_taken_back_and_the_page_says_where_it_stands(
    desk: Desk, reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("409")
    request = desk.request(needs=Requirements(undo_seconds=60))
    page = desk.context_for(reviewer, desk.site.url).new_page()
    cut_socket(page)
    page.goto(f"/requests/{request.pk}/?tab=team")
    grow_old(page)
    page.keyboard.press("a")
    undo = page.locator("[data-undo]")
    expect(undo).to_be_visible()
    ApprovalRequest.objects.filter(pk=request.pk).update(ready_at=database_now())
    with transaction.atomic():
        assert consume(
            request_id=request.pk, revision=1, digest=request.digest, actor=Actor.system("test")
        ).ok
    before = events_of(request)
    with page.expect_response("**/undo/") as answer:
        page.keyboard.press("u")
    assert answer.value.status == 409
    problem = page.locator("#problem")
    expect(problem).to_have_text("There is nothing to take back: The action has been started.")
    expect(problem).to_be_focused()
    expect(page.locator("#standing")).to_contain_text("Approved by reviewer")
    expect(undo).to_have_count(0)
    request.refresh_from_db()
    assert (request.state, events_of(request)) == ("consumed", before)
    assert Vote.objects.get(request=request).counts


def test_nothing_is_decided_while_offline(desk: Desk, reviewer: User, troubles: Troubles) -> None:
    troubles.expect("ERR_INTERNET_DISCONNECTED|WebSocket")
    request = desk.request()
    page = desk.open(reviewer, request)
    sent = posts(page)
    page.context.set_offline(True)
    look(page)
    expect(page.locator("#live-pill")).to_contain_text("Offline")
    expect(verdict(page)).to_be_disabled()
    expect(page.locator("#dock-why")).to_contain_text("You are offline")
    page.keyboard.press("a")
    assert sent == []
    # Where nobody tells the page of that either, it tries by itself.
    page.context.set_offline(False)
    expect(page.locator("#live-pill")).to_have_text("Live")
    expect(verdict(page)).to_be_enabled()
    page.keyboard.press("a")
    desk.becomes(request, "approved")


def test_the_seconds_that_it_was_looked_at_come_with_the_verdict(
    desk: Desk, reviewer: User
) -> None:
    request = desk.request()
    page = desk.open(reviewer, request)
    page.wait_for_function(
        "() => Number(document.querySelector('[data-active-seconds]').value) >= 1"
    )
    page.keyboard.press("e")
    expect(page.locator("#edit-fields")).to_be_visible()
    title(page).focus()
    page.keyboard.press("Escape")
    verdict(page).click()
    desk.becomes(request, "approved")
    assert Vote.objects.get(request=request).active_seconds >= 1


def test_a_claim_is_renewed_while_it_is_held(desk: Desk, reviewer: User) -> None:
    request = desk.request()
    page = desk.context_for(reviewer, desk.site.url).new_page()
    cut_socket(page)
    page.clock.install()
    page.goto(f"/requests/{request.pk}/?tab=team")
    page.locator(".claim-form button").click()
    expect(page.locator("[data-claimed]")).to_be_visible()
    first = claim_ends(request)
    page.clock.fast_forward(RENEWAL_SECONDS * 1000)
    desk.site.wait_for(lambda: claim_ends(request) > first, 15, "the claim is renewed")


def test_a_claim_that_was_taken_over_is_not_taken_back(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    request = desk.request()
    page = desk.context_for(reviewer, desk.site.url).new_page()
    page.clock.install()
    page.goto(f"/requests/{request.pk}/?tab=team")
    expect(page.locator("#live-pill")).to_have_text("Live")
    page.locator(".claim-form button").click()
    expect(page.locator("[data-claimed]")).to_be_visible()
    page.locator("#comment-text").fill("A draft, so that the page is not replaced.")
    # The list may know before the hint comes that something changed, and not what.
    request.refresh_from_db()
    page.evaluate(
        """async (known) => (await import("/static/js/request.js")).noticed(known)""",
        {"id": str(request.pk), "version": request.version + 1},
    )
    expect(page.locator("#changed-banner")).to_be_visible()
    claim(request_id=request.pk, caller=by(second_reviewer), take_over=True)
    expect(page.locator("[data-claimed]")).to_have_count(0)
    with page.expect_response("**/inbox/counts/"):
        page.clock.fast_forward(RENEWAL_SECONDS * 2 * 1000)
    assert holder(request) == second_reviewer.username


def test_a_page_that_missed_that_its_claim_was_taken_over_does_not_take_it_back(
    desk: Desk, reviewer: User, second_reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("409")
    request = desk.request()
    page = desk.context_for(reviewer, desk.site.url).new_page()
    cut_socket(page)
    page.clock.install()
    page.goto(f"/requests/{request.pk}/?tab=team")
    page.locator(".claim-form button").click()
    expect(page.locator("[data-claimed]")).to_be_visible()
    claim(request_id=request.pk, caller=by(second_reviewer), take_over=True)
    with page.expect_response("**/claim/") as answer:
        page.clock.fast_forward(RENEWAL_SECONDS * 1000)
    assert answer.value.status == 409
    expect(page.locator(".claim")).to_have_text("second-reviewer is looking at it")
    assert holder(request) == second_reviewer.username


def said_in_its_turn(page: Page) -> int:
    """Say several things to the polite region with the clock in hand; the seconds that this took."""
    expect(page.locator("#live-pill")).to_have_text("Live")
    page.clock.pause_at(datetime.fromtimestamp(page.evaluate("Date.now()") / 1000 + 6, tz=UTC))
    page.evaluate(
        """async () => {
            const live = await import("/static/js/live.js");
            const region = document.getElementById("live-region");
            window.told = [];
            window.say = live.speak;
            new MutationObserver(() => told.push(region.textContent)).observe(region, { childList: true });
        }"""
    )
    steps = (
        # Whoever was silent for so long is heard at once; of what comes together the newest.
        (("one", "two"), 10, ["two"]),
        (("three",), 2_000, ["two"]),
        (("four",), 2_900, ["two"]),
        ((), 100, ["two", "four"]),
        ((), 5_000, ["two", "four"]),
        (("five",), 10, ["two", "four", "five"]),
    )
    for texts, milliseconds, told in steps:
        page.evaluate("(texts) => texts.forEach((text) => say(text))", texts)
        page.clock.run_for(milliseconds)
        assert page.evaluate("told") == told
    page.clock.resume()
    return 6 + sum(milliseconds for _, milliseconds, _ in steps) // 1_000


def test_one_thing_in_five_seconds_is_said_aloud_and_the_last_minute_before_the_deadline(
    desk: Desk, reviewer: User
) -> None:
    request = desk.request(needs=Requirements(review_hours=24, calendar=""))
    page = desk.context_for(reviewer, desk.site.url).new_page()
    page.clock.install()
    page.goto(f"/requests/{request.pk}/?tab=team")
    alert = page.locator("#live-alert")
    expect(title(page)).to_be_visible()
    taken = said_in_its_turn(page)
    page.clock.fast_forward((DAY_SECONDS - 300 - taken) * 1000)
    expect(page.locator(".request-deadline [data-urgency=soon]")).to_be_visible()
    expect(alert).to_be_empty()
    page.clock.fast_forward(255 * 1000)
    expect(alert).to_have_text("60 seconds left to decide.")
    page.clock.fast_forward(28 * 1000)
    expect(alert).to_have_text("20 seconds left to decide.")
