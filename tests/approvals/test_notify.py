"""Mail about requests: to whom, once, with a link, deciding nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from accounts.models import ReviewGroup, User
from approvals.jobs import send_first_mails, send_mail_about
from approvals.models import ApprovalRequest, FirstMail
from approvals.schemas import CoinToss, GroupNeed, Preview, Requirements
from approvals.services import first_mails
from approvals.services import notify as notifying
from approvals.services.decide import decide
from approvals.services.reopen import reopen_changed
from approvals.services.sweep import sweep
from approvals.services.undo import undo
from approvals.vocabulary import Kind
from audit.actors import Actor
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import Till, by, events_of, one_of, verdict_on
from tests.harness.background import work


def addresses() -> list[str]:
    return sorted(address for message in mail.outbox for address in message.to)


def test_those_who_may_decide_get_a_title_and_a_link(
    opened: Opener, reviewer: User, second_reviewer: User, outsider: User, finance: ReviewGroup
) -> None:
    finance.memberships.create(user=outsider)
    request = opened(needs=one_of("finance"))
    assert send_mail_about(str(request.pk)) == 2
    assert addresses() == sorted([reviewer.email, second_reviewer.email])
    message = mail.outbox[0]
    assert message.subject == "Waiting for you: Refund €20.00 to Acme GmbH"
    assert f"{settings.COUNTERSIGN.address}/" in message.body
    assert str(request.pk) in message.body


def test_each_reviewer_is_mailed_in_the_language_they_read(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    reviewer.language = "de"
    reviewer.save()
    request = opened(needs=one_of("finance"))
    due = datetime(2026, 3, 9, 14, 5, tzinfo=UTC)
    ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=due)
    for occasion in ("opened", "reminder", "escalated"):
        send_mail_about(str(request.pk), occasion)
    said: dict[str, list[Any]] = {reviewer.email: [], second_reviewer.email: []}
    for message in mail.outbox:
        said[message.to[0]].append(message)
    title = "Refund €20.00 to Acme GmbH"
    german, english = said[reviewer.email], said[second_reviewer.email]
    assert [each.subject for each in german] == [
        f"Wartet auf Sie: {title}",
        f"Wartet noch immer: {title}",
        f"Jetzt bei Ihnen: {title}",
    ]
    assert [each.subject for each in english] == [
        f"Waiting for you: {title}",
        f"Still waiting: {title}",
        f"Now with you: {title}",
    ]
    assert "(hohes Risiko)" in german[0].body
    assert "9. März 2026, 14:05 UTC" in german[0].body
    assert "(high risk)" in english[0].body
    assert "9 Mar 2026, 14:05 UTC" in english[0].body


def test_mail_about_a_request_is_sent_once(opened: Opener, reviewer: User) -> None:
    request = opened()
    send_mail_about(str(request.pk))
    assert send_mail_about(str(request.pk)) == 0
    assert len(mail.outbox) == 1


def test_the_groups_own_address_is_used_too(
    opened: Opener, reviewer: User, support: ReviewGroup
) -> None:
    ReviewGroup.objects.filter(pk=support.pk).update(email="support@example.com")
    send_mail_about(str(opened().pk))
    assert addresses() == sorted([reviewer.email, "support@example.com"])


def test_the_initiator_is_mailed_about_a_question_only(
    opened: Opener, reviewer: User, operator: User
) -> None:
    send_mail_about(str(opened(initiator=reviewer.pk).pk))
    assert addresses() == []
    send_mail_about(str(opened(kind=Kind.QUESTION).pk))
    assert operator.email in addresses()


def test_what_is_decided_already_is_not_mailed(opened: Opener, reviewer: User) -> None:
    request = opened()
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    assert send_mail_about(str(request.pk)) == 0


def test_a_title_cannot_add_headers(opened: Opener, reviewer: User) -> None:
    request = opened()
    ApprovalRequest.objects.filter(pk=request.pk).update(title="Refund\r\nBcc: a@example.com")
    send_mail_about(str(request.pk))
    assert addresses() == [reviewer.email]
    assert "\n" not in mail.outbox[0].subject


def test_a_sensitive_argument_does_not_leave_in_a_title(
    opened: Opener, till: Till, reviewer: User
) -> None:
    till.sensitive = ("order",)
    request = opened()
    ApprovalRequest.objects.filter(pk=request.pk).update(title="Refund on order 10291")
    send_mail_about(str(request.pk))
    assert mail.outbox[0].subject == "Waiting for you: Till: Pay back"
    assert "10291" not in mail.outbox[0].body


def test_mail_carries_no_argument_and_no_score(opened: Opener, reviewer: User) -> None:
    coin = CoinToss(value=0.5, rate=0, propensity=1, score_visible=False)
    request = opened(coin=coin)
    send_mail_about(str(request.pk))
    text = mail.outbox[0].body
    for hidden in ("10291", "broken", "0.61", "6100"):
        assert hidden not in text


def test_a_mail_that_failed_is_tried_again(
    opened: Opener, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> int:
        raise OSError("no mail server")

    request = opened()
    with monkeypatch.context() as patched:
        patched.setattr(first_mails, "deliver", fail)
        with pytest.raises(OSError, match="no mail server"):
            send_first_mails()
    # Not at once, which would press a server that is down.
    assert (send_first_mails(), sweep()["mailed"]) == (0, 0)
    become_due(request)
    assert send_first_mails() == 1


def become_due(*requests: ApprovalRequest) -> None:
    """The moment has come at which people are mailed about them; nobody was, as yet."""
    untold = FirstMail.objects.filter(pk__in=[request.pk for request in requests])
    assert untold.update(due_at=database_now()) == len(requests)


def test_what_comes_at_once_comes_in_one_mail_to_each_reader_in_their_language(
    opened: Opener,
    reviewer: User,
    second_reviewer: User,
    support: ReviewGroup,
    till: Till,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sending, held = first_mails.deliver, []

    def noted(mails: Any) -> frozenset[str]:
        held.append(FirstMail.objects.order_by("pk").values_list("due_at", flat=True)[0])
        return sending(mails)

    monkeypatch.setattr(first_mails, "deliver", noted)
    monkeypatch.setattr(first_mails, "MAILS_WHILE_HELD", 1)
    reviewer.language = "de"
    reviewer.save()
    support.memberships.filter(user=second_reviewer).delete()
    opened(amount="10.00", needs=one_of("finance"))
    till.sensitive = ("order",)
    hidden = opened(amount="20.00", needs=one_of("finance"))
    till.sensitive = ()
    ApprovalRequest.objects.filter(pk=hidden.pk).update(title="Refund on order 10291")
    elsewhere = opened(amount="30.00", needs=one_of("support"))
    assert send_first_mails() == 2
    # However slow the mail server is, nobody else takes them meanwhile.
    assert held[0] < held[1]
    german, english = (
        next(sent for sent in mail.outbox if sent.to == [each.email])
        for each in (reviewer, second_reviewer)
    )
    assert german.subject == "3 Anfragen warten auf Sie"
    assert english.subject == "2 requests wait for you"
    for sent in (german, english):
        assert "Refund €10.00 to Acme GmbH" in sent.body
        assert "10291" not in sent.body
        assert f"/requests/{hidden.pk}/" in sent.body
        assert f"{settings.COUNTERSIGN.address}/inbox/" in sent.body
    assert (str(elsewhere.pk) in german.body, str(elsewhere.pk) in english.body) == (True, False)
    assert (send_first_mails(), sweep()["mailed"]) == (0, 0)


def test_no_request_is_written_anew_to_tell_of_it_and_what_waits_no_more_is_not_told_of(
    opened: Opener, reviewer: User
) -> None:
    waits, rejected = opened(), opened()
    no = verdict_on(rejected, "reject", reason="Paid twice.")
    decide(request_id=rejected.pk, decision=no, caller=by(reviewer))
    assert list(FirstMail.objects.values_list("request", flat=True)) == [waits.pk]

    def versions() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ctid, xmin FROM approvals_approvalrequest ORDER BY id")
            return cursor.fetchall()

    before = versions()
    assert send_first_mails() == 1
    assert versions() == before
    assert str(rejected.pk) not in mail.outbox[0].body


def test_what_was_approved_before_anybody_was_mailed_is_mailed_about_once_it_waits_again(
    opened: Opener, reviewer: User
) -> None:
    request = opened(needs=Requirements(undo_seconds=60))

    def approve() -> None:
        request.refresh_from_db()
        decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))

    def open_anew() -> None:
        with transaction.atomic():
            reopen_changed(
                request_id=request.pk,
                revision=request.revision,
                preview=Preview(title="Refund"),
                what="The order changed.",
                actor=Actor.system("test"),
            )

    approve()
    assert (sweep()["mailed"], send_first_mails()) == (0, 0)
    undo(request_id=request.pk, caller=by(reviewer))
    assert (send_first_mails(), send_first_mails()) == (1, 0)
    # Taken back later it is known; opened anew it is told of anew.
    approve()
    undo(request_id=request.pk, caller=by(reviewer))
    assert send_first_mails() == 0
    approve()
    open_anew()
    approve()
    open_anew()
    assert (send_first_mails(), send_first_mails()) == (1, 0)
    assert not FirstMail.objects.exists()


def test_one_mail_about_very_many_names_some_and_counts_the_others(
    opened: Opener, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "MOST_LISTED", 2)
    monkeypatch.setattr(first_mails, "MOST_TOGETHER", 4)
    for _ in range(5):
        opened()
    assert send_first_mails() == 2
    first, second = mail.outbox
    assert (first.subject, second.subject) == (
        "4 requests wait for you",
        "Waiting for you: Refund €20.00 to Acme GmbH",
    )
    assert first.body.count("/requests/") == 2
    assert "… and 2 more." in first.body


def test_many_requests_of_the_same_people_take_no_more_statements_than_two(
    opened: Opener, reviewer: User
) -> None:
    statements = []
    for count in (2, 9):
        for _ in range(count):
            opened()
        with CaptureQueriesContext(connection) as captured:
            assert send_first_mails() == 1
        statements.append(len(captured))
    assert statements[0] == statements[1]


def test_a_request_that_cannot_be_written_about_keeps_no_other_from_being_told(
    opened: Opener, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, well = opened(amount="10.00"), opened(amount="20.00")
    written = first_mails.notice

    def fail(request: ApprovalRequest) -> notifying.Notice:
        if request.pk == broken.pk:
            raise ValueError("no words")
        return written(request)

    with monkeypatch.context() as patched:
        patched.setattr(first_mails, "notice", fail)
        assert send_first_mails() == 1
    assert str(well.pk) in mail.outbox[0].body
    become_due(broken)
    assert send_first_mails() == 1
    assert str(broken.pk) in mail.outbox[1].body


def test_what_is_opened_anew_while_its_mail_goes_out_is_mailed_about_anew(
    opened: Opener, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = opened()
    sending = first_mails.deliver

    def opened_anew(mails: Any) -> frozenset[str]:
        FirstMail.objects.filter(pk=request.pk).update(taken_at=None, due_at=database_now())
        return sending(mails)

    with monkeypatch.context() as patched:
        patched.setattr(first_mails, "deliver", opened_anew)
        once = chain([first_mails._taken], repeat(lambda _until: None))
        patched.setattr(first_mails, "_taken", lambda until: next(once)(until))  # noqa: PLW0108
        assert send_first_mails() == 1
    assert (sweep()["mailed"], send_first_mails()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_what_another_process_is_about_to_tell_of_is_left_to_it(
    opened: Opener, reviewer: User, superuser_url: str
) -> None:
    theirs, ours = opened(amount="10.00"), opened(amount="20.00")
    with psycopg.connect(superuser_url) as other:
        other.execute(
            "SELECT FROM approvals_firstmail WHERE request_id = %s FOR UPDATE", [theirs.pk]
        )
        assert send_first_mails() == 1
        assert str(ours.pk) in mail.outbox[0].body
    assert send_first_mails() == 1
    assert str(theirs.pk) in mail.outbox[1].body


def test_half_of_the_time_is_reminded_of_once(opened: Opener, reviewer: User) -> None:
    request = opened()
    send_mail_about(str(request.pk))
    assert request.remind_at < request.review_deadline
    assert sweep()["reminded"] == 0
    ApprovalRequest.objects.filter(pk=request.pk).update(remind_at=database_now())
    assert sweep()["reminded"] == 1
    assert sweep()["reminded"] == 0
    assert events_of(request).count("request.reminded") == 1
    assert send_mail_about(str(request.pk), "reminder", later="ignored") == 1
    assert mail.outbox[-1].subject.startswith("Still waiting")


@pytest.fixture
def gathered(settings: Any) -> timedelta:
    """As long as new requests are gathered."""
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"mail_gather_seconds": 30})
    return timedelta(seconds=30)


@pytest.mark.django_db(transaction=True)
def test_people_are_mailed_by_one_job_once_new_requests_have_been_gathered(
    opened: Opener, reviewer: User, redis_client: Redis, gathered: timedelta
) -> None:
    queue = Queue("background", connection=redis_client, serializer=JSONSerializer)
    first, second = opened(), opened()
    assert first.first_mail.due_at == first.created_at + gathered
    assert (sweep()["mailed"], send_first_mails(), queue.jobs) == (0, 0, [])
    become_due(first)
    assert (sweep()["mailed"], sweep()["mailed"]) == (1, 1)
    (job,) = queue.jobs
    assert job.func_name == "approvals.jobs.send_first_mails"
    # What came meanwhile goes out with it.
    assert work() == len(mail.outbox) == 1
    assert str(second.pk) in mail.outbox[0].body
    become_due(opened())
    redis_client.flushall()
    assert sweep()["mailed"] == 1
    assert len(queue.jobs) == 1


def test_what_comes_while_mails_go_out_is_gathered_for_the_next(
    opened: Opener, reviewer: User, monkeypatch: pytest.MonkeyPatch, gathered: timedelta
) -> None:
    become_due(opened())
    sending, come = first_mails.deliver, []

    def one_comes(mails: Any) -> frozenset[str]:
        come.append(opened())
        return sending(mails)

    monkeypatch.setattr(first_mails, "deliver", one_comes)
    assert (send_first_mails(), len(come), len(mail.outbox)) == (1, 1, 1)
    assert str(come[0].pk) not in mail.outbox[0].body


def test_people_are_mailed_before_they_would_be_reminded(
    opened: Opener, reviewer: User, gathered: timedelta
) -> None:
    request = opened(needs=Requirements(review_hours=0.01, calendar=""))
    assert request.created_at < request.first_mail.due_at == request.remind_at
    # Nobody is reminded of what they were not told of.
    ApprovalRequest.objects.filter(pk=request.pk).update(remind_at=database_now())
    assert sweep()["reminded"] == 0
    FirstMail.objects.all().delete()
    assert sweep()["reminded"] == 1


def test_a_job_of_the_release_before_has_its_request_mailed_about_at_once(
    opened: Opener, reviewer: User, gathered: timedelta
) -> None:
    request = opened()
    assert (send_first_mails(), send_mail_about(str(request.pk))) == (0, 1)
    assert str(request.pk) in mail.outbox[0].body


def test_of_what_the_same_group_is_asked_each_is_told_what_waits_for_them(
    opened: Opener,
    reviewer: User,
    second_reviewer: User,
    operator: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    two = Requirements(
        groups=(GroupNeed(group="finance", count=2), GroupNeed(group="support", count=1))
    )
    both, half = opened(needs=two), opened(needs=two)
    edited, edited_too = opened(needs=two), opened(needs=two)
    own = opened(needs=two, initiator=reviewer.pk)
    question = opened(needs=two, kind=Kind.QUESTION)
    decide(request_id=half.pk, decision=verdict_on(half), caller=by(reviewer))
    # Both edits leave the same groups to ask, and each its other editor out.
    for each, editor in ((edited, second_reviewer), (edited_too, reviewer)):
        changed = verdict_on(each, "edit", arguments={**each.arguments, "amount": "35.00"})
        decide(request_id=each.pk, decision=changed, caller=by(editor))
    caplog.clear()
    assert send_first_mails() == 3
    told = {
        sent.to[0]: [
            each
            for each in (both, half, edited, edited_too, own, question)
            if str(each.pk) in sent.body
        ]
        for sent in mail.outbox
    }
    assert told == {
        reviewer.email: [both, edited, question],
        second_reviewer.email: [both, half, edited_too, own, question],
        operator.email: [question],
    }
    # How many were told of each stands in its trace.
    lines = [line.msg for line in caplog.records if "letters_sent" in str(line.msg)]
    assert sorted(line["letters"] for line in lines) == [1, 1, 1, 1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_a_mail_whose_sender_was_killed_is_sent_by_another_and_then_never_again(
    opened: Opener, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = opened()

    def killed(*args: Any) -> int:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(first_mails, "deliver", killed)
        with pytest.raises(SystemExit):
            send_first_mails()
    # However long is gathered: what one process tells of is not another's.
    gathers = settings.COUNTERSIGN.model_copy(update={"mail_gather_seconds": 3_600.0})
    with monkeypatch.context() as patched:
        patched.setattr(settings, "COUNTERSIGN", gathers)
        due = opened()
        become_due(due)
        assert send_first_mails() == 1
    assert str(request.pk) not in mail.outbox.pop().body
    assert (send_first_mails(), sweep()["mailed"]) == (0, 0)
    become_due(request)
    assert sweep()["mailed"] == 1
    assert send_first_mails() == len(mail.outbox) == 1
    assert not FirstMail.objects.exists()
    assert (send_first_mails(), sweep()["mailed"]) == (0, 0)
