"""Requests and votes against the log: an event deleted together with what it changed leaves something behind."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from psycopg.types.json import Jsonb

from accounts.models import User
from approvals.digests import document_digest
from approvals.models import ApprovalRequest, PolicyVersion, Vote
from approvals.services import expire
from approvals.services.cancel import cancel_requests
from approvals.services.consume import consume
from approvals.services.decide import decide
from approvals.services.undo import undo
from audit.actors import Actor
from audit.clock import database_now
from audit.fsck import Checked, check
from audit.models import Event
from audit.services.verify_log import ask_verification, verify_log
from tests.approvals.conftest import Opener
from tests.approvals.till import by, one_of, verdict_on
from tests.audit.conftest import Attacker, attacker  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)
# ruff: noqa: F811 - the attacker is a fixture of other tests, taken by name


def found() -> list[str]:
    return list(check(Checked()))


@pytest.fixture
def decided(opened: Opener, reviewer: User) -> ApprovalRequest:
    request = opened(amount="20.00")
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    request.refresh_from_db()
    return request


def forget(attacker: Attacker, event: Event) -> None:
    """The newest event of a stream is gone, and with it all by which the log itself would show that."""
    attacker.does("DELETE FROM audit_event WHERE id = %s", event.pk)
    attacker.does("DELETE FROM audit_pending WHERE event = %s", event.pk)
    attacker.does("DELETE FROM audit_disclosure WHERE event = %s", event.pk)
    attacker.does(
        "UPDATE audit_stream SET seq = seq - 1, head = %s WHERE name = %s",
        bytes(event.prev or b""),
        event.stream,
    )


def decision(request: ApprovalRequest) -> Event:
    return Event.objects.get(type="request.decided", request=request.pk)


def test_an_event_deleted_with_all_that_the_log_shows_it_by_is_missed_by_its_request(
    decided: ApprovalRequest, attacker: Attacker
) -> None:
    forget(attacker, decision(decided))
    first, second = found()
    assert f"The request {decided.pk} stands as approved, and by the log it is pending" in first
    assert "has no event: its event was deleted" in second


def test_an_event_deleted_together_with_its_request_change_is_missed_by_its_vote(
    decided: ApprovalRequest, attacker: Attacker, auditor: User
) -> None:
    forget(attacker, decision(decided))
    attacker.does(
        "UPDATE approvals_approvalrequest SET state = 'pending', decided_at = NULL, decided_by_id = NULL, "
        "ready_at = NULL WHERE id = %s",
        decided.pk,
    )
    (sentence,) = found()
    vote = Vote.objects.get(request=decided)
    assert sentence == (
        f"The vote {vote.pk} (approve) on the request {decided.pk} has no event: "
        "its event was deleted, or it was never recorded."
    )
    with pytest.raises(CommandError, match=str(vote.pk)):
        call_command("audit_fsck", stdout=StringIO(), stderr=StringIO())
    asked = ask_verification(caller=by(auditor))
    verify_log(asked.pk)
    asked.refresh_from_db()
    assert asked.found == [sentence]


def test_an_event_deleted_with_every_row_of_its_change_shows_as_a_cut_stream(
    decided: ApprovalRequest, attacker: Attacker
) -> None:
    event = decision(decided)
    attacker.does("DELETE FROM approvals_vote WHERE request_id = %s", decided.pk)
    attacker.does(
        "UPDATE approvals_approvalrequest SET state = 'pending', decided_at = NULL, decided_by_id = NULL, "
        "ready_at = NULL WHERE id = %s",
        decided.pk,
    )
    attacker.does("DELETE FROM audit_event WHERE id = %s", event.pk)
    attacker.does("DELETE FROM audit_disclosure WHERE event = %s", event.pk)
    assert "the tail was cut" in found()[0]


def test_a_row_changed_behind_the_log_is_named(
    decided: ApprovalRequest, attacker: Attacker
) -> None:
    attacker.does(
        "UPDATE approvals_approvalrequest SET state = 'rejected' WHERE id = %s", decided.pk
    )
    assert (
        f"The request {decided.pk} stands as rejected, and by the log it is approved" in found()[0]
    )


def test_a_digest_changed_behind_the_log_is_named(
    decided: ApprovalRequest, attacker: Attacker
) -> None:
    attacker.does(
        "UPDATE approvals_approvalrequest SET digest = %s WHERE id = %s",
        "sha256:" + "0" * 64,
        decided.pk,
    )
    event = decision(decided)
    assert found() == [
        f"The request {decided.pk} has another args_sha256 than event {event.pk} (request.decided) binds: "
        "what was decided was changed afterwards."
    ]


def test_what_was_shown_for_a_vote_cannot_be_changed_behind_the_log(
    decided: ApprovalRequest, attacker: Attacker
) -> None:
    attacker.does("UPDATE approvals_vote SET shown_sha256 = %s", "sha256:" + "0" * 64)
    assert "has another shown_sha256 than event" in found()[0]


def test_a_deleted_row_is_missed_by_its_event(decided: ApprovalRequest, attacker: Attacker) -> None:
    attacker.does("DELETE FROM approvals_vote")
    assert "which is not there: its row was deleted" in found()[0]


def test_a_verdict_changed_behind_the_log_is_named(
    decided: ApprovalRequest, attacker: Attacker
) -> None:
    attacker.does("UPDATE approvals_vote SET verdict = 'reject'")
    assert "stands as reject by person" in found()[0]


def test_a_vote_given_to_somebody_else_behind_the_log_is_named(
    decided: ApprovalRequest, reviewer: User, second_reviewer: User, attacker: Attacker
) -> None:
    attacker.does("UPDATE approvals_vote SET user_id = %s", second_reviewer.pk)
    (said,) = found()
    assert (
        f"stands as approve by person {second_reviewer.pk}, and by the log it is "
        f"approve by person {reviewer.pk}:" in said
    )


def test_arguments_changed_behind_the_log_are_named_though_their_digest_stands(
    decided: ApprovalRequest, attacker: Attacker
) -> None:
    attacker.does(
        "UPDATE approvals_approvalrequest SET arguments = arguments || %s",
        Jsonb({"amount": "1.00"}),
    )
    (said,) = found()
    assert f"The request {decided.pk} has another args_sha256 than event" in said


def test_a_policy_changed_or_deleted_behind_the_log_is_named(
    decided: ApprovalRequest, attacker: Attacker
) -> None:
    row = PolicyVersion.objects.get()
    changed = {**row.document, "undo_seconds": 1}
    attacker.does(
        "UPDATE approvals_policyversion SET document = %s, sha256 = %s",
        Jsonb(changed),
        document_digest(changed),
    )
    (said,) = found()
    assert said == (
        f"The policy 1 stands as {document_digest(changed)}, and by the log it is {row.sha256}: "
        "the row was changed by hand, or its last event was deleted."
    )
    attacker.does("DELETE FROM approvals_policyversion")
    (said,) = found()
    assert "speaks of 1, which is not there: its row was deleted" in said


def test_every_way_in_which_a_request_goes_agrees_with_the_log(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    def given(verdict: str, needs: object = None, **changes: object) -> ApprovalRequest:
        request = opened(**({"needs": needs} if needs else {}))
        decide(
            request_id=request.pk,
            decision=verdict_on(request, verdict, **changes),
            caller=by(reviewer),
        )
        request.refresh_from_db()
        return request

    undo(request_id=given("approve").pk, caller=by(reviewer))
    given("reject", reason="no")
    given("send_back", reason="again")
    given("stop", reason="no")
    edited = given("edit", arguments={"order": "10291", "amount": "36.00", "note": "broken"})
    decide(request_id=edited.pk, decision=verdict_on(edited), caller=by(second_reviewer))
    given("edit", arguments={"order": "10291", "amount": "20.00", "note": "other"})
    given("approve", needs=one_of("finance", "support"))
    opened()
    with transaction.atomic():
        cancel_requests(
            run_id=opened(run_id=_run()).run_id, actor=Actor.system("t"), why="run_cancelled"
        )
    late = opened()
    ApprovalRequest.objects.filter(pk=late.pk).update(
        review_deadline=database_now() - timedelta(seconds=1)
    )
    expire.past_deadline(late.pk)
    used = given("approve")
    ApprovalRequest.objects.filter(pk=used.pk).update(ready_at=database_now())
    with transaction.atomic():
        consume(request_id=used.pk, revision=1, digest=used.digest, actor=Actor.agent("till"))
    checked = Checked()
    assert list(check(checked)) == []
    states = set(ApprovalRequest.objects.values_list("state", flat=True))
    assert states >= {
        "pending",
        "approved",
        "rejected",
        "superseded",
        "cancelled",
        "expired",
        "consumed",
    }
    assert checked.reconciled["requests"] == ApprovalRequest.objects.count()
    assert checked.reconciled["votes"] == Vote.objects.count()


def _run() -> object:
    import uuid

    return uuid.uuid4()


@pytest.mark.parametrize(
    "change",
    [
        "title = 'Refund €1.00'",
        "preview = jsonb_set(preview, '{title}', '\"Refund €1.00\"')",
        "risk = 'low'",
        "rationale = 'It is fine.'",
        "evidence = '[]'::jsonb || '{\"step\": 1}'::jsonb",
    ],
)
def test_what_waits_and_says_something_else_than_was_kept_as_shown_is_named(
    opened: Opener, attacker: Attacker, change: str
) -> None:
    request = opened(amount="20.00")
    assert found() == []
    attacker.does(f"UPDATE approvals_approvalrequest SET {change}")
    (sentence,) = found()
    assert f"The request {request.pk} has another shown_sha256 than event" in sentence


def test_what_was_kept_as_shown_of_what_waits_is_not_changed_unnoticed(
    opened: Opener, attacker: Attacker
) -> None:
    opened(amount="20.00")
    attacker.does(
        "UPDATE approvals_requestrevision SET "
        "shown = convert_to(replace(convert_from(shown, 'UTF8'), '20.00', '10.00'), 'UTF8')"
    )
    assert "has another shown_sha256 than event" in found()[0]
