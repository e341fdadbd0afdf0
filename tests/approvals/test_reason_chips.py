"""Reasons to pick from: admins keep them, a verdict carries one, and what was said then stays."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from accounts.errors import PermissionMissing, ScopeMissing
from accounts.models import User
from approvals import bodies
from approvals.errors import BadBody, BadChip, ChipUnknown, NonceReused
from approvals.models import ApprovalRequest, ReasonChip, Vote
from approvals.schemas import DecisionIn, Requirements
from approvals.services.decide import decide
from approvals.services.reason_chips import (
    MOST_OFFERED,
    add_chip,
    change_chip,
    move_chip,
    restore_chip,
    retire_chip,
)
from approvals.vocabulary import GIVES_REASON, Kind
from audit.canonical import canonical_bytes, sha256_hex
from audit.code_words import code_in_words
from audit.models import Event
from audit.sentences import sentence
from tests.approvals.conftest import As, Opener
from tests.approvals.till import by, by_token, verdict_on

EDITED = {"order": "10291", "amount": "15.00", "note": "broken"}


def take(request: ApprovalRequest, user: User, verdict: str, **body: Any) -> Any:
    decision = verdict_on(request, verdict, **body)
    return decide(request_id=request.pk, decision=decision, caller=by(user))


def body_of(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(bytes(event.body))
    return body


def last_event(type_: str) -> dict[str, Any]:
    event = Event.objects.filter(type=type_).order_by("inserted_at").last()
    assert event is not None
    return body_of(event)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_every_verdict_that_gives_a_reason_has_some_from_the_start(db: None) -> None:
    for verdict in GIVES_REASON:
        assert 4 <= ReasonChip.objects.offered_for(verdict).count() <= 9


def test_the_log_says_those_of_the_start_in_german_too(db: None) -> None:
    codes = list(ReasonChip.objects.values_list("code", flat=True))
    with override("de"):
        said = {code: code_in_words(code) for code in codes}
    assert codes
    assert not [code for code, words in said.items() if words == code.replace("_", " ")]


@pytest.mark.parametrize(
    ("verdict", "code", "label", "resolution"),
    [
        ("reject", "wrong_amount", "Wrong amount", "rejected"),
        ("send_back", "another_way", "Do it another way", "sent_back"),
        ("stop", "suspicious", "Looks like fraud or an attack", "stopped"),
    ],
)
def test_a_chip_is_reason_enough_and_stands_in_vote_event_and_what_the_run_hears(
    opened: Opener,
    reviewer: User,
    told: list[Any],
    verdict: str,
    code: str,
    label: str,
    resolution: str,
) -> None:
    request = opened()
    take(request, reviewer, verdict, reason_code=code)
    vote = Vote.objects.get()
    assert (vote.reason_code, vote.reason_label, vote.reason) == (code, label, "")
    body = last_event("request.decided")
    assert body["outcome"]["reason_code"] == code
    assert code.replace("_", " ") in sentence(body, {})
    assert told[-1].kind == resolution
    assert told[-1].data == {"reason": label, "reason_code": code, "reason_label": label}


def test_words_beside_a_chip_are_told_after_it(
    opened: Opener, reviewer: User, told: list[Any]
) -> None:
    request = opened()
    words = "Use the total of the invoice."
    take(request, reviewer, "reject", reason_code="wrong_amount", reason=words)
    assert told[-1].data["reason"] == f"Wrong amount: {words}"
    request.refresh_from_db()
    assert (request.feedback, request.reason_label) == (words, "Wrong amount")


def test_the_reason_of_an_edit_reaches_the_agent_also_where_somebody_else_approves(
    opened: Opener, reviewer: User, second_reviewer: User, told: list[Any]
) -> None:
    request = opened()
    take(request, reviewer, "edit", arguments=EDITED, reason_code="wrong_amount", reason="Net.")
    assert last_event("request.edited")["outcome"]["reason_code"] == "wrong_amount"
    request.refresh_from_db()
    take(request, second_reviewer, "approve")
    assert told[-1].data["edit_reason"] == "Wrong amount: Net."
    assert "reason_code" not in told[-1].data


def test_an_editor_whose_edit_approves_says_why_too(
    opened: Opener, reviewer: User, told: list[Any]
) -> None:
    cosmetic = {**EDITED, "amount": "20.00", "note": "torn"}
    take(opened(), reviewer, "edit", arguments=cosmetic, reason_code="wrong_detail")
    assert (told[-1].kind, told[-1].data["edit_reason"]) == ("approved", "A detail is wrong")


@pytest.mark.parametrize(
    ("verdict", "body", "says"),
    [
        ("reject", {"reason_code": "no_such_thing"}, "there is no such reason"),
        ("reject", {"reason_code": "another_way"}, "not offered for reject"),
        ("reject", {"reason_code": "done_already"}, "no longer offered"),
        ("approve", {"reason_code": "wrong_amount"}, "not offered for approve"),
        ("reject", {}, "reject needs it"),
        ("reject", {"reason": "  "}, "reject needs it"),
    ],
)
def test_what_is_not_offered_is_no_reason_and_changes_nothing(
    opened: Opener, reviewer: User, admin: User, verdict: str, body: dict[str, str], says: str
) -> None:
    retire_chip(code="done_already", caller=by(admin))
    request = opened()
    with pytest.raises(BadBody, match=says):
        take(request, reviewer, verdict, **body)
    request.refresh_from_db()
    assert request.state == "pending"
    assert not Vote.objects.exists()


def test_a_verdict_that_takes_no_reason_takes_no_chip(opened: Opener, reviewer: User) -> None:
    request = opened(kind=Kind.HAND_BACK, initiator=reviewer.pk, needs=Requirements())
    with pytest.raises(BadBody, match="reason_code: return does not take this"):
        take(request, reviewer, "return", message="Go on.", reason_code="wrong_amount")


def test_another_chip_under_the_same_nonce_is_another_verdict(
    opened: Opener, reviewer: User
) -> None:
    request, nonce = opened(), uuid.uuid4().hex
    first = take(request, reviewer, "reject", reason_code="wrong_amount", nonce=nonce)
    again = take(request, reviewer, "reject", reason_code="wrong_amount", nonce=nonce)
    assert (again.vote_id, again.replayed) == (first.vote_id, True)
    with pytest.raises(NonceReused):
        take(request, reviewer, "reject", reason_code="not_needed", nonce=nonce)


def test_a_verdict_without_a_chip_has_the_digest_that_it_had_before_there_were_any(
    opened: Opener,
) -> None:
    decision = verdict_on(opened(), "reject", reason="no")
    body = decision.model_dump(mode="json", exclude={"active_seconds", "nonce", "reason_code"})
    assert bodies.digest_of(decision) == sha256_hex(canonical_bytes(body))


def test_what_was_decided_keeps_the_words_of_then(
    opened: Opener, reviewer: User, admin: User
) -> None:
    request = opened()
    take(request, reviewer, "reject", reason_code="wrong_amount")
    change_chip(code="wrong_amount", label="The sum", verdicts=["reject"], caller=by(admin))
    retire_chip(code="wrong_amount", caller=by(admin))
    page = signed_in(reviewer).get(reverse("request-detail", kwargs={"pk": request.pk}))
    assert "Wrong amount" in page.content.decode()
    rows = signed_in(reviewer).get(reverse("inbox"), {"tab": "decided"}).content.decode()
    assert "Rejected by reviewer · Wrong amount" in rows


# What admins do.


def test_an_admin_adds_changes_moves_retires_and_brings_back_and_each_is_an_event(
    admin: User,
) -> None:
    caller = by(admin)
    chip = add_chip(
        code="too_late", label=" Too   late ", verdicts=["stop", "reject"], caller=caller
    )
    assert (chip.label, chip.verdicts) == ("Too late", ["reject", "stop"])
    assert ReasonChip.objects.offered().last() == chip
    change_chip(code="too_late", label="Much too late", verdicts=["reject"], caller=caller)
    change_chip(code="too_late", label="Much too late", verdicts=["reject"], caller=caller)
    move_chip(code="too_late", places=-100, caller=caller)
    move_chip(code="too_late", places=-1, caller=caller)
    assert ReasonChip.objects.offered().first() == chip
    move_chip(code="too_late", places=1, caller=caller)
    assert list(ReasonChip.objects.offered())[1] == chip
    retire_chip(code="too_late", caller=caller)
    retire_chip(code="too_late", caller=caller)
    assert chip not in ReasonChip.objects.offered()
    restore_chip(code="too_late", caller=caller)
    restore_chip(code="too_late", caller=caller)
    assert ReasonChip.objects.offered().last() == chip
    rows = Event.objects.filter(type__startswith="reason_chip.").order_by("seq")
    events = [body_of(row) for row in rows]
    assert [(e["type"], e["facts"].get("place")) for e in events] == [
        ("reason_chip.added", None),
        ("reason_chip.changed", None),
        ("reason_chip.moved", 1),
        ("reason_chip.moved", 2),
        ("reason_chip.retired", None),
        ("reason_chip.restored", None),
    ]
    assert {e["facts"]["chip"] for e in events} == {"too_late"}
    assert {e["actor"]["id"] for e in events} == {str(admin.pk)}
    assert "Much too late" not in str(events)
    assert sentence(events[2], {str(admin.pk): "Ada"}) == (
        "Ada moved the reason too late to place 1."
    )


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("code", {"code": "wrong_amount"}),
        ("code", {"code": "Too late"}),
        ("code", {"code": ""}),
        ("code", {"code": "a\x00"}),
        ("code", {"code": "x" * 41}),
        ("label", {"label": "  "}),
        ("label", {"label": "x" * 81}),
        ("label", {"label": "Too \u202e late"}),
        ("verdicts", {"verdicts": []}),
        ("verdicts", {"verdicts": ["reject", "approve"]}),
    ],
)
def test_a_chip_that_does_not_hold_is_refused_with_the_field(
    admin: User, field: str, changes: dict[str, Any]
) -> None:
    given = {"code": "too_late", "label": "Too late", "verdicts": ["reject"]} | changes
    before = list(ReasonChip.objects.values())
    with pytest.raises(BadChip) as refused:
        add_chip(**given, caller=by(admin))
    assert [error["field"] for error in refused.value.params["errors"]] == [field]
    assert list(ReasonChip.objects.values()) == before
    assert not Event.objects.filter(type__startswith="reason_chip.").exists()


def test_there_are_not_more_than_anybody_would_look_through(admin: User) -> None:
    ReasonChip.objects.bulk_create(
        ReasonChip(code=f"n{n}", label=f"N {n}", verdicts=["reject"], position=100 + n)
        for n in range(MOST_OFFERED - ReasonChip.objects.offered().count())
    )
    with pytest.raises(BadChip, match="60 reasons already"):
        add_chip(code="too_late", label="Too late", verdicts=["reject"], caller=by(admin))
    retire_chip(code="n0", caller=by(admin))
    add_chip(code="too_late", label="Too late", verdicts=["reject"], caller=by(admin))
    with pytest.raises(BadChip, match="60 reasons already"):
        restore_chip(code="n0", caller=by(admin))


CHANGES: list[Callable[..., object]] = [
    lambda caller: add_chip(code="x", label="X", verdicts=["reject"], caller=caller),
    lambda caller: change_chip(code="wrong_amount", label="X", verdicts=["reject"], caller=caller),
    lambda caller: move_chip(code="wrong_amount", places=1, caller=caller),
    lambda caller: retire_chip(code="wrong_amount", caller=caller),
    lambda caller: restore_chip(code="wrong_amount", caller=caller),
]


@pytest.mark.parametrize("change", CHANGES)
def test_changing_reasons_needs_the_permission_and_the_scope(
    admin: User, reviewer: User, auditor: User, change: Callable[..., object]
) -> None:
    before = list(ReasonChip.objects.values())
    for person in (reviewer, auditor):
        with pytest.raises(PermissionMissing):
            change(by(person))
    with pytest.raises(ScopeMissing):
        change(by_token(admin, "read", "decide"))
    assert list(ReasonChip.objects.values()) == before


@pytest.mark.parametrize("verb", [move_chip, retire_chip, restore_chip, change_chip])
def test_an_unknown_chip_is_not_there(admin: User, verb: Callable[..., object]) -> None:
    more: dict[str, Any] = {"places": 1} if verb is move_chip else {}
    if verb is change_chip:
        more = {"label": "X", "verdicts": ["reject"]}
    with pytest.raises(ChipUnknown):
        verb(code="no_such_thing", caller=by(admin), **more)


# By page.


def test_an_admin_keeps_the_reasons_on_their_page_without_a_script(admin: User) -> None:
    client = signed_in(admin)
    page = reverse("reason-chips")
    assert "Wrong amount" in client.get(page).content.decode()
    posted = {"label": "Too late", "code": "too_late", "verdicts": ["reject", "stop"]}
    assert client.post(page, posted | {"code": "wrong_amount"}).status_code == 422
    answer = client.post(page, posted, follow=True)
    assert "“Too late” is offered from now on." in answer.content.decode()
    one = reverse("reason-chip", kwargs={"code": "too_late"})
    assert 'value="Too late"' in client.get(one).content.decode()
    assert client.post(one, {"label": "", "verdicts": ["reject"]}).status_code == 422
    assert client.post(one, {"label": "Late", "verdicts": ["stop"]}).status_code == 302
    assert ReasonChip.objects.get(code="too_late").verdicts == ["stop"]
    move = reverse("reason-chip-move", kwargs={"code": "too_late"})
    retire = reverse("reason-chip-retire", kwargs={"code": "too_late"})
    before = list(ReasonChip.objects.offered())
    client.post(move, {"to": "up"})
    assert list(ReasonChip.objects.offered())[-2].code == "too_late"
    client.post(move, {"to": "down"})
    assert list(ReasonChip.objects.offered()) == before
    client.post(retire)
    assert ReasonChip.objects.get(code="too_late").retired_at
    client.post(retire, {"restore": "1"})
    assert ReasonChip.objects.get(code="too_late").retired_at is None
    for gone in (one, move, retire):
        assert client.post(gone.replace("too_late", "none")).status_code == 404


def test_reviewers_read_the_reasons_and_change_none_and_others_do_not_read_them(
    reviewer: User, outsider: User
) -> None:
    client = signed_in(reviewer)
    text = client.get(reverse("reason-chips")).content.decode()
    assert "Wrong amount" in text
    assert "Retire" not in text
    posted = {"label": "Too late", "code": "too_late", "verdicts": ["reject"]}
    names = {"code": "wrong_amount"}
    assert client.post(reverse("reason-chips"), posted).status_code == 403
    for name in ("reason-chip", "reason-chip-move", "reason-chip-retire"):
        assert client.post(reverse(name, kwargs=names), posted | {"to": "up"}).status_code == 403
    assert signed_in(outsider).get(reverse("reason-chips")).status_code == 403


def form_of(request: ApprovalRequest, verdict: str, **body: object) -> dict[str, object]:
    seen = {name: getattr(request, name) for name in ("revision", "digest", "shown_sha256")}
    return {"verdict": verdict, "nonce": uuid.uuid4().hex, "tab": "team", **seen, **body}


def test_a_chip_is_picked_on_the_page_without_a_script(opened: Opener, reviewer: User) -> None:
    request = opened()
    client = signed_in(reviewer)
    detail = reverse("request-detail", kwargs={"pk": request.pk})
    form = client.get(detail, {"mode": "reject"}).content.decode()
    assert 'type="radio" name="reason_code" value="wrong_amount"' in form
    assert "another_way" not in form
    decide_url = reverse("request-decide", kwargs={"pk": request.pk})
    empty = client.post(decide_url, form_of(request, "reject", reason_code="", reason=" "))
    assert empty.status_code == 422
    assert "Pick a reason, or write one." in empty.content.decode()
    gone = client.post(decide_url, form_of(request, "reject", reason_code="another_way"))
    assert gone.status_code == 422
    assert "This reason is no longer offered. Pick another." in gone.content.decode()
    done = client.post(decide_url, form_of(request, "reject", reason_code="wrong_amount"))
    assert done.status_code == 302
    assert "Wrong amount" in client.get(done["Location"]).content.decode()


def test_a_chip_that_is_retired_while_it_is_posted_is_told_at_its_place_also_beside_an_edit(
    opened: Opener, reviewer: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = opened()
    client = signed_in(reviewer)
    offered = list(ReasonChip.objects.offered_for("edit").values_list("code", "label"))
    retire_chip(code="wrong_amount", caller=by(admin))
    # As the form was when it was checked, a moment before.
    monkeypatch.setattr("approvals.views.dock.chips_for", lambda _verdict: offered)
    posted = form_of(request, "edit", reason_code="wrong_amount", reason="Net.")
    posted |= {f"arguments.{name}": value for name, value in EDITED.items()}
    answer = client.post(reverse("request-decide", kwargs={"pk": request.pk}), posted)
    assert answer.status_code == 422
    text = answer.content.decode()
    chips = text[text.index('<fieldset class="reason-chips"') :]
    assert "no longer offered" in chips[: chips.index("</fieldset>")]
    assert "Net." in text
    assert "15.00" in text


def test_who_comes_second_keeps_what_they_picked(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    posted = form_of(request, "reject", reason_code="wrong_amount", reason="Not this much.")
    take(request, second_reviewer, "approve")
    url = reverse("request-decide", kwargs={"pk": request.pk})
    answer = signed_in(reviewer).post(url, posted)
    assert answer.status_code == 409
    draft = answer.content.decode().partition("Your draft, kept:")[2].partition("</dl>")[0]
    assert "Wrong amount" in draft
    assert "Not this much." in draft


# By API and token.


def test_programs_read_the_chips_and_decide_with_one(
    opened: Opener, reviewer: User, admin: User, acting: As
) -> None:
    client = acting(reviewer, "read", "decide")
    retire_chip(code="done_already", caller=by(admin))
    listed = client.get("/api/v1/reason-chips?verdict=reject").json()
    codes = [chip["code"] for chip in listed["items"]]
    assert codes[0] == "wrong_amount"
    assert not {"done_already", "another_way"} & set(codes)
    assert listed["items"][0]["label"] == "Wrong amount"
    everything = client.get("/api/v1/reason-chips?retired=true").json()["items"]
    assert next(c for c in everything if c["code"] == "done_already")["retired_at"]
    assert acting(reviewer, "decide").get("/api/v1/reason-chips").status_code == 403

    request = opened()
    url = f"/api/v1/approvals/{request.pk}"
    seen = client.get(url).json()
    body = {name: seen[name] for name in ("revision", "digest", "shown_sha256")}
    body |= {"verdict": "reject", "nonce": uuid.uuid4().hex}
    for code, expected in (("done_already", "bad_body"), ("Wrong!", "invalid_request")):
        answer = client.post(
            f"{url}/decisions", body | {"reason_code": code}, content_type="application/json"
        )
        assert (answer.status_code, answer.json()["code"]) == (422, expected)
    answer = client.post(
        f"{url}/decisions", body | {"reason_code": "wrong_amount"}, content_type="application/json"
    )
    assert answer.status_code == 200
    decided = client.get(url).json()
    assert (decided["reason_code"], decided["reason_label"]) == ("wrong_amount", "Wrong amount")
    assert decided["approvals"][0]["reason_code"] == "wrong_amount"
    assert decided["resolution"]["data"]["reason"] == "Wrong amount"
    (row,) = client.get("/api/v1/approvals?state=rejected").json()["items"]
    assert row["reason_label"] == "Wrong amount"


def test_a_code_is_a_word_of_letters_digits_and_underscores() -> None:
    with pytest.raises(ValueError, match="reason_code"):
        DecisionIn.model_validate({"verdict": "reject", "reason_code": "Wrong amount"})
