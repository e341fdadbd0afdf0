"""What pages do while the world goes on: caught up after a cut, in their turn, one beside the other, and unseen."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.db import transaction
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.services.claim import claim, release
from approvals.services.comment import comment
from approvals.services.withdraw import withdraw_requests
from audit.actors import Actor
from tests.approvals.till import SCHEMA, Till, by, one_of, refund
from tests.harness.browser import Troubles
from tests.pages.live_desk import Desk, Line, posts, row, title, verdict

MINUTE_MS = 60_000
SECOND_MS = 1_000


def stand_still(page: Page) -> None:
    """From now on the page's time passes when the test says so."""
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))


def tell(page: Page, event: str, on: str = "document") -> None:
    page.evaluate(f"{on}.dispatchEvent(new Event('{event}'))")


def asked_for_rows(page: Page) -> list[str]:
    """The lists and rows that the page asks for from now on."""
    seen: list[str] = []
    page.on("request", lambda sent: seen.append(sent.url) if "/inbox/rows/" in sent.url else None)
    return seen


def withdraw(request: ApprovalRequest) -> None:
    with transaction.atomic():
        withdraw_requests(
            request_ids=[request.pk], actor=Actor.system("test"), why="superseded", who="The run"
        )


def test_after_a_minute_without_a_line_nothing_is_missing_and_nothing_is_there_twice(
    desk: Desk, reviewer: User, second_reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("ERR_INTERNET_DISCONNECTED|WebSocket")
    needs = one_of("finance", "support")
    stays, *others = (desk.request(amount=f"{n}.00", needs=needs) for n in range(10, 25))
    decided, edited, withdrawn = others[:5], others[5:10], others[10:]
    page = desk.context_for(reviewer, desk.site.url).new_page()
    line = Line(page)
    page.clock.install()
    page.goto("/inbox/?tab=team")
    pill = page.locator("#live-pill")
    expect(pill).to_have_text("Live")
    expect(page.locator("#rows .row")).to_have_count(15)
    stand_still(page)
    line.cut()
    page.context.set_offline(True)
    expect(pill).to_contain_text(re.compile("Reconnecting|Offline"))
    for request in decided:
        desk.decide(request, second_reviewer, "reject", reason="Paid already.")
    for request in edited:
        desk.decide(
            request, second_reviewer, "edit", arguments={**request.arguments, "amount": "99.00"}
        )
    for request in withdrawn:
        withdraw(request)
    new = [desk.request(amount=f"{n}.50", needs=needs) for n in range(30, 35)]
    page.clock.fast_forward(MINUTE_MS)
    expect(pill).to_contain_text("Offline")
    expect(row(page, decided[0])).not_to_contain_class("closed")
    line.is_up = True
    page.context.set_offline(False)
    # A browser on a machine without any network is told of none of that.
    tell(page, "online", on="window")
    expect(pill).to_have_text("Live")
    page.clock.resume()
    for request in decided + withdrawn:
        expect(row(page, request)).to_contain_class("closed")
    expect(page.locator("#new-rows")).to_contain_text("5 new")
    for request in edited:
        expect(row(page, request)).to_have_attribute("data-version", str(_version(request)))
    page.keyboard.press(".")
    expect(page.locator("#rows .row")).to_have_count(11)
    shown = page.locator("#rows .row").evaluate_all("rows => rows.map((row) => row.dataset.id)")
    waiting = ApprovalRequest.objects.team(reviewer).by_deadline()
    assert shown == [str(pk) for pk in waiting.values_list("pk", flat=True)]
    assert set(shown) == {str(each.pk) for each in (stays, *edited, *new)}
    assert page.locator("#inbox-badge").get_attribute("data-count") == "11"
    assert page.locator('[data-count-of="team"]').text_content() == "11"


def test_a_row_is_not_said_to_be_gone_before_the_page_knows_what_became_of_it(
    desk: Desk, reviewer: User, second_reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("ERR_FAILED")
    needs = one_of("finance", "support")
    decided, stays = (desk.request(amount=f"{n}.00", needs=needs) for n in (10, 11))
    page = desk.context_for(reviewer, desk.site.url).new_page()
    line = Line(page)
    page.goto("/inbox/?tab=team")
    pill = page.locator("#live-pill")
    expect(pill).to_have_text("Live")
    line.cut()
    expect(pill).to_contain_text("Reconnecting")
    desk.decide(decided, second_reviewer, "reject", reason="Paid already.")
    # The list is answered, and then nothing more: the line went between the two.
    of_decided = re.compile("tab=decided")
    page.route(of_decided, lambda route: route.abort())
    line.is_up = True
    with page.expect_request_finished(lambda sent: "/inbox/rows/?tab=team" in sent.url):
        tell(page, "online", on="window")
    expect(pill).to_contain_text("Offline")
    expect(row(page, decided)).not_to_contain_class("closed")
    page.unroute(of_decided)
    tell(page, "online", on="window")
    expect(row(page, decided)).to_contain_class("closed")
    expect(row(page, decided)).to_contain_text(f"Rejected by {second_reviewer}")
    expect(row(page, stays)).not_to_contain_class("closed")


def test_a_line_that_falls_silent_is_noticed_and_another_one_is_taken(
    desk: Desk, reviewer: User, troubles: Troubles
) -> None:
    needs = one_of("finance", "support")
    page = desk.context_for(reviewer, desk.site.url).new_page()
    line = Line(page)
    page.clock.install()
    page.goto("/inbox/?tab=team")
    pill = page.locator("#live-pill")
    expect(pill).to_have_text("Live")
    stand_still(page)
    # The socket stays open; looks are not answered, and another socket is not to be had.
    line.is_deaf, line.is_up = True, False
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/inbox/rows/**", hold)
    new = desk.request(amount="30.50", needs=needs)
    # Time goes on by itself as well: the look may come earlier than three quarters of a minute from here.
    for _ in range(MINUTE_MS // SECOND_MS):
        if held:
            break
        page.clock.run_for(SECOND_MS)
    desk.site.wait_for(lambda: bool(page.evaluate("1") and held), 15, "the page looks")
    # That it was asked is told late on a busy machine: the page may have given it up by then.
    page.clock.run_for(MINUTE_MS / 2)
    expect(pill).to_contain_text(re.compile("Reconnecting|Offline"))
    page.unroute("**/inbox/rows/**", hold)
    line.is_deaf, line.is_up = False, True
    # The next try may be half a minute away, and more where the last one's failure is told late. From when it tries,
    # time goes as everywhere, so that nothing that is asked for seems to take long.
    desk.site.wait_for(lambda: _tries_within_a_second(page, line), 60, "the page tries again")
    page.clock.resume()
    expect(pill).to_have_text("Live")
    assert len(line.sockets) == 2
    page.keyboard.press(".")
    expect(row(page, new)).to_be_visible()


def _tries_within_a_second(page: Page, line: Line) -> bool:
    page.clock.run_for(SECOND_MS)
    return len(line.sockets) == 2


def _version(request: ApprovalRequest) -> int:
    return int(ApprovalRequest.objects.values_list("version", flat=True).get(pk=request.pk))


def test_a_page_that_was_cut_off_asks_again_as_soon_as_there_is_a_line_or_a_reader(
    desk: Desk, reviewer: User
) -> None:
    page = desk.context_for(reviewer, desk.site.url).new_page()
    line = Line(page)
    page.clock.install()
    page.goto("/inbox/?tab=team")
    pill = page.locator("#live-pill")
    expect(pill).to_have_text("Live")
    # No timer goes off any more: whatever connects does so by what it is told.
    stand_still(page)
    for event, target in (("online", "window"), ("visibilitychange", "document")):
        line.cut()
        expect(pill).to_contain_text("Reconnecting")
        line.is_up = True
        tell(page, event, on=target)
        expect(pill).to_have_text("Live")
    assert len(line.sockets) == 3


def test_what_many_heard_is_fetched_together_by_name_and_in_ones_turn(
    desk: Desk, reviewer: User
) -> None:
    first, second = desk.request(amount="20.00"), desk.request(amount="30.00")
    page = desk.context_for(reviewer, desk.site.url).new_page()
    line = Line(page)
    page.add_init_script("Math.random = () => 0.5")
    page.clock.install()
    with page.expect_response("**/inbox/rows/*"):
        page.goto("/inbox/?tab=team")
    stand_still(page)
    asked = asked_for_rows(page)
    line.hint(first, within=10_000)
    line.hint(second, within=10_000)
    page.clock.run_for(4_500)
    assert asked == []
    badge = page.locator("#inbox-badge")
    badge.evaluate("(badge) => { badge.dataset.count = ''; }")
    _let_pass(desk, page, asked, 1)
    expect(badge).to_have_attribute("data-count", "2")
    (url,) = asked
    assert str(first.pk) in url
    assert str(second.pk) in url
    # What follows at once rests for twice as long as they all take.
    line.hint(first, version=100, within=10_000)
    page.clock.run_for(15_000)
    assert len(asked) == 1
    _let_pass(desk, page, asked, 2)


def _let_pass(desk: Desk, page: Page, asked: list[str], number: int) -> None:
    """Time, until the page has asked that often: its rest begins when an answer is read, whenever that is."""

    def heard() -> bool:
        page.clock.run_for(500)
        return _heard(page, asked, number)

    desk.site.wait_for(heard, 15, f"the page asks for rows {number} times")


def _heard(page: Page, asked: list[str], number: int = 1) -> bool:
    # Playwright tells of requests only while it is called.
    page.evaluate("0")
    return len(asked) >= number


def test_a_draft_and_its_caret_outlive_five_changes_of_the_same_item(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    request = desk.request(amount="20.00", needs=one_of("finance", "support"))
    page = desk.open(reviewer, request)
    page.keyboard.press("r")
    field = page.locator("#id_reason")
    field.fill("Paid already, in March.")
    field.evaluate("(field) => field.setSelectionRange(5, 12)")
    changes: list[tuple[Callable[[], object], str]] = [
        (lambda: claim(request_id=request.pk, caller=by(second_reviewer)), "claimed"),
        (lambda: comment(request_id=request.pk, body="Look.", caller=by(second_reviewer)), "said"),
        (lambda: release(request_id=request.pk, caller=by(second_reviewer)), "released"),
        (lambda: claim(request_id=request.pk, caller=by(second_reviewer)), "claimed again"),
        (
            lambda: desk.decide(
                request, second_reviewer, "edit", arguments={**request.arguments, "amount": "35.00"}
            ),
            "edited",
        ),
    ]
    for change, what in changes:
        before = _version(request)
        change()
        assert _version(request) > before, what
        # The list is brought up to date by the same hint as the banner.
        expect(row(page, request)).to_have_attribute("data-version", str(_version(request)))
        expect(page.locator("#changed-banner")).to_be_visible()
        expect(field).to_be_focused()
        expect(field).to_have_value("Paid already, in March.")
        caret = field.evaluate("(field) => [field.selectionStart, field.selectionEnd]")
        assert caret == [5, 12], what
    expect(page.locator("#arguments")).not_to_contain_text("35.00")


def test_who_may_not_see_an_argument_is_offered_no_approval_and_the_key_gives_none(
    desk: Desk, reviewer: User, till: Till
) -> None:
    till.sensitive = ("order",)
    request = desk.request(amount="20.00")
    page = desk.open(reviewer, request)
    sent = posts(page)
    expect(page.locator("#arguments")).not_to_contain_text("10291")
    expect(verdict(page)).to_have_count(0)
    expect(page.locator("[data-mode=edit]")).to_have_count(0)
    for key in ("a", "e"):
        page.keyboard.press(key)
    # Refusing needs less than approving.
    page.keyboard.press("r")
    expect(page.locator("#id_reason")).to_be_visible()
    assert not any("/decide/" in url for url in sent)
    request.refresh_from_db()
    assert request.state == "pending"


def test_an_edit_that_cannot_be_read_comes_back_at_its_argument_with_what_was_typed(
    desk: Desk, reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("422")
    described = {**SCHEMA, "properties": {**SCHEMA["properties"], "note": {"type": "object"}}}
    arguments = {"order": "10291", "amount": "20.00", "note": {"said": "broken"}}
    request = desk.request(action=refund(arguments=arguments, argument_schema=described))
    page = desk.open(reviewer, request, "&mode=edit")
    page.get_by_role("textbox", name="Amount").fill("15.00")
    note = page.get_by_role("textbox", name="Note")
    note.fill("{not JSON")
    verdict(page, "edit").click()
    expect(note).to_have_attribute("aria-invalid", "true")
    expect(note).to_be_focused()
    expect(note).to_have_value("{not JSON")
    expect(page.get_by_role("textbox", name="Amount")).to_have_value("15.00")
    request.refresh_from_db()
    assert (request.state, request.revision) == ("pending", 1)


def test_who_has_it_open_is_named_to_others_who_have_it_open_until_they_go(
    desk: Desk, reviewer: User, second_reviewer: User, auditor: User
) -> None:
    request, other = desk.request(amount="20.00"), desk.request(amount="30.00")
    page = desk.open(reviewer, request)
    beside = page.locator("#presence")
    expect(beside).to_be_empty()
    # An auditor reads who is there, and is not announced.
    reader = desk.open(auditor, request)
    expect(reader.locator("#presence")).to_contain_text("reviewer has this open too")
    second = desk.open(second_reviewer, request)
    expect(second.locator("#presence")).to_have_text("reviewer has this open too")
    expect(beside).to_have_text("second-reviewer has this open too")
    expect(page.locator("#live-region")).to_contain_text("second-reviewer has this open too")
    row(second, other).click()
    expect(title(second)).to_have_text("Refund €30.00 to Acme GmbH")
    expect(beside).to_be_empty()
    second.go_back()
    expect(beside).to_have_text("second-reviewer has this open too")
    second.close(run_before_unload=True)
    expect(beside).to_be_empty()
