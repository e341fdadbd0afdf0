"""Mail about requests: to whom, once, with a link, deciding nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from accounts.models import ReviewGroup, User
from approvals.jobs import send_mail_about
from approvals.models import ApprovalRequest
from approvals.schemas import CoinToss
from approvals.services import notify as notifying
from approvals.services.decide import decide
from approvals.services.sweep import sweep
from approvals.vocabulary import Kind
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import Till, by, events_of, one_of, verdict_on


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
        patched.setattr(notifying, "_send", fail)
        with pytest.raises(OSError, match="no mail server"):
            send_mail_about(str(request.pk))
    assert send_mail_about(str(request.pk)) == 1


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


@pytest.mark.django_db(transaction=True)
def test_a_new_request_puts_its_mail_on_the_background_queue(
    opened: Opener, reviewer: User, redis_client: Redis
) -> None:
    request = opened()
    queue = Queue("background", connection=redis_client, serializer=JSONSerializer)
    (job,) = queue.jobs
    assert job.func_name == "approvals.jobs.send_mail_about"
    assert list(job.args) == [str(request.pk), "opened"]


@pytest.mark.django_db(transaction=True)
def test_mail_lost_with_redis_is_queued_again_and_not_each_second(
    opened: Opener, reviewer: User, redis_client: Redis
) -> None:
    request = opened()
    redis_client.flushall()
    assert sweep()["mailed"] == 0
    ApprovalRequest.objects.filter(pk=request.pk).update(mail_due_at=database_now())
    assert sweep()["mailed"] == 1
    assert sweep()["mailed"] == 0
    queue = Queue("background", connection=redis_client, serializer=JSONSerializer)
    assert len(queue.jobs) == 1
    send_mail_about(str(request.pk))
    ApprovalRequest.objects.get(pk=request.pk, mail_due_at=None)


@pytest.mark.django_db(transaction=True)
def test_a_mail_whose_sender_was_killed_is_sent_by_another_and_then_never_again(
    opened: Opener, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = opened()

    def killed(*args: Any) -> int:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(notifying, "send_letters", killed)
        with pytest.raises(SystemExit):
            send_mail_about(str(request.pk))
    row = ApprovalRequest.objects.filter(pk=request.pk)
    assert (send_mail_about(str(request.pk)), sweep()["mailed"]) == (0, 0)
    row.update(mail_due_at=database_now())
    assert sweep()["mailed"] == 1
    assert send_mail_about(str(request.pk)) == len(mail.outbox) == 1
    assert row.filter(mail_due_at=None).exists()
    assert send_mail_about(str(request.pk)) == 0
