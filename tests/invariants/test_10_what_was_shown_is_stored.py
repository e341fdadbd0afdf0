"""Line 10: what the reviewer was shown is stored, and its digest stands in the decision's event."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from approvals.models import ApprovalRequest, RequestRevision, Vote
from approvals.schemas import GroupNeed, Preview, Requirements
from approvals.services.reopen import reopen_changed
from approvals.showing import show
from audit import disclosures
from audit.actors import Actor
from audit.canonical import canonical_bytes, sha256_hex
from audit.keyring import open_disclosure
from audit.models import Disclosure, Event
from tests.approvals.conftest import Opener
from tests.invariants.conftest import Enter
from tests.invariants.doors import PageDoor

VERDICTS: dict[str, dict[str, Any]] = {
    "approve": {},
    "reject": {"reason": "no"},
    "send_back": {"reason": "no"},
    "stop": {"reason": "no"},
}
TWO = Requirements(groups=(GroupNeed(group="support", count=2),))


def disclosed(event: Event) -> dict[str, Any]:
    """What the event binds by digest, opened and checked against the digests in its body."""
    body = orjson.loads(bytes(event.body))
    opened = {}
    for row in Disclosure.objects.filter(event=event.pk).select_related("key"):
        encoded = open_disclosure(row)
        assert disclosures.digest_of(encoded) in body["_sd"]
        name, value = disclosures.read(encoded)
        opened[name] = value
    return opened


def event_of(request: ApprovalRequest, type: str) -> Event:
    return Event.objects.filter(stream=f"request:{request.pk}", type=type).latest("seq")


def kept(request: ApprovalRequest, revision: int) -> RequestRevision:
    return RequestRevision.objects.get(request=request, revision=revision)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_decisions_event_binds_the_stored_bytes_that_were_shown(
    opened: Opener, enter: Enter, reviewer: User, verdict: str
) -> None:
    request = opened()
    door = enter(reviewer)
    seen = door.read(request)
    assert door.decide(request.pk, seen, verdict, **VERDICTS[verdict]).taken
    stored = kept(request, seen.revision)
    assert sha256_hex(bytes(stored.shown)) == stored.shown_sha256 == seen.shown_sha256
    assert canonical_bytes(stored.document) == bytes(stored.shown)
    vote = Vote.objects.get(request=request)
    assert (vote.shown_sha256, vote.digest) == (seen.shown_sha256, seen.digest)
    event = event_of(request, "request.decided")
    bound = disclosed(event)
    assert bound["shown_sha256"] == seen.shown_sha256
    assert bound["args_sha256"] == seen.digest
    facts = orjson.loads(bytes(event.body))["facts"]
    assert (facts["vote"], facts["revision"]) == (str(vote.pk), seen.revision)


def test_a_vote_that_decides_nothing_yet_binds_it_too(
    opened: Opener, enter: Enter, reviewer: User
) -> None:
    request = opened(needs=TWO)
    door = enter(reviewer)
    seen = door.read(request)
    assert door.decide(request.pk, seen).taken
    assert disclosed(event_of(request, "request.voted"))["shown_sha256"] == seen.shown_sha256


def test_opening_binds_what_there_was_to_see(opened: Opener, enter: Enter, reviewer: User) -> None:
    request = opened()
    seen = enter(reviewer).read(request)
    for kind in ("request.opened", "request.shown"):
        assert disclosed(event_of(request, kind))["shown_sha256"] == seen.shown_sha256
    assert event_of(request, "request.shown").actor_id == str(reviewer.pk)


def test_an_edit_keeps_both_versions_and_binds_the_new_one(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    door, other = enter(reviewer), enter(second_reviewer)
    first = door.read(request)
    edited = {**request.arguments, "amount": "15.00"}
    assert door.decide(request.pk, first, "edit", arguments=edited).taken
    request.refresh_from_db()
    second = other.read(request)
    assert (first.revision, second.revision) == (1, 2)
    assert first.shown_sha256 != second.shown_sha256
    for seen, amount in ((first, "20.00"), (second, "15.00")):
        stored = kept(request, seen.revision)
        assert sha256_hex(bytes(stored.shown)) == seen.shown_sha256
        assert stored.arguments["amount"] == amount
    assert disclosed(event_of(request, "request.edited"))["shown_sha256"] == second.shown_sha256
    assert other.decide(request.pk, second).taken
    assert disclosed(event_of(request, "request.decided"))["shown_sha256"] == second.shown_sha256


def test_a_changed_world_is_shown_anew_under_another_digest(
    opened: Opener, enter: Enter, reviewer: User
) -> None:
    request = opened()
    door = enter(reviewer)
    first = door.read(request)
    assert door.decide(request.pk, first).taken
    with transaction.atomic():
        reopen_changed(
            request_id=request.pk,
            revision=1,
            preview=Preview(title="Refund €20.00 to somebody else", subject="Somebody else"),
            what="The order changed hands.",
            actor=Actor.agent("till"),
        )
    request.refresh_from_db()
    second = door.read(request)
    assert second.digest == first.digest
    assert second.shown_sha256 != first.shown_sha256
    door.decide(request.pk, first, "reject", reason="no").taken  # noqa: B018 - the first answer again
    assert kept(request, 2).document["title"] == "Refund €20.00 to somebody else"


def test_the_page_shows_what_is_stored(opened: Opener, reviewer: User) -> None:
    request = opened(rationale="The customer sent a photo of the broken cup.")
    page = PageDoor(reviewer).look(request.pk)
    document = request.shown_document
    page.names(document["title"], *map(str, document["arguments"].values()), document["rationale"])


def test_what_is_shown_changes_with_nothing_but_the_revision(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    request = opened(needs=TWO)
    shown = show(request)
    door = enter(reviewer)
    for act, body in (("claim", {}), ("extend", {"hours": 1}), ("comment", {"body": "seen"})):
        assert door.do(request.pk, act, **body).taken
    assert door.through(request).taken
    request.refresh_from_db()
    assert show(request) == shown
    assert enter(second_reviewer).read(request).shown_sha256 == shown[1]


def test_a_verdict_without_a_look_says_so(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    """Sending a verdict is not opening what it is about."""
    request = opened()
    assert enter(reviewer).through(request).taken
    assert Vote.objects.get(request=request).opened_at is None
    assert not Event.objects.filter(stream=f"request:{request.pk}", type="request.shown").exists()
    facts = orjson.loads(bytes(event_of(request, "request.decided").body))["facts"]
    assert facts.get("open_seconds") is None


def test_no_event_can_be_changed_by_the_product(
    opened: Opener, enter: Enter, reviewer: User
) -> None:
    request = opened()
    assert enter(reviewer).through(request).taken
    for statement in ("UPDATE audit_event SET type = 'x'", "DELETE FROM audit_event"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
