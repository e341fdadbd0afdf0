"""Mail about requests that were opened: to each person one mail about all that came since, however many came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import translation

from accounts.letters import Letter, addressed, deliver
from approvals.deadlines import Due, first_mail_due
from approvals.models import ApprovalRequest, FirstMail
from approvals.queues import MAIL_OVERDUE
from approvals.services.notify import (
    Notice,
    counted,
    letter,
    letter_about_several,
    notice,
    recipients,
    to_be_mailed,
)
from approvals.vocabulary import Kind
from audit import log_ids, tracing
from audit.clock import database_now
from audit.writes import insert

#: Requests that are taken at once.
MOST_TOGETHER: Final = 200
#: Mails that are sent, at however slow a server, before the requests are taken for as long again.
MAILS_WHILE_HELD: Final = 50

log = structlog.get_logger(__name__)


def mail_later(request: ApprovalRequest, now: datetime) -> None:
    """Have people mailed about a request that was opened just now. In the caller's transaction."""
    due = first_mail_due(now, Due(request.review_deadline, request.remind_at))
    insert(FirstMail(request=request, due_at=due))


def mail_anew(request: ApprovalRequest, now: datetime) -> None:
    """The same of what is opened anew, whether people were mailed about it before or not."""
    FirstMail.objects.filter(request=request).delete()
    mail_later(request, now)


def send_first() -> int:
    """Mail those who may decide about every request that waits and that nobody was told of, once one of them is
    due; how many mails were sent. What is opened meanwhile waits for the next time.

    Each request is taken by one process; where that ended before it was done, or the mail could not be sent,
    another takes it after `MAIL_OVERDUE`. So nobody is left out, and somebody may be told twice. Mail errors are
    raised.
    """
    now = database_now()
    if not FirstMail.objects.due(now).exists():
        return 0
    sent, until = 0, first_mail_due(now)
    while (taken := _taken(until)) is not None:
        sent += _mailed(taken)
    return sent


def send_first_about(request_id: UUID) -> int:
    """The same, now that this request is due: a release before this one has a job for each new request."""
    FirstMail.objects.filter(pk=request_id, taken_at=None).update(due_at=database_now())
    return send_first()


@dataclass(frozen=True)
class Taken:
    """Requests that one process tells of, and the moment at which it took them."""

    ids: Sequence[UUID]
    at: datetime

    def hold(self) -> None:
        """Keep them for as long again."""
        with self._locked(self.ids) as ours:
            ours.update(due_at=database_now() + MAIL_OVERDUE)

    def settle(self, ids: Collection[UUID]) -> None:
        """Nobody needs to tell of these any more."""
        with self._locked(ids) as ours:
            ours.delete()

    @contextmanager
    def _locked(self, ids: Collection[UUID]) -> Iterator[QuerySet[FirstMail]]:
        # One that was opened anew meanwhile is told of anew.
        ours = FirstMail.objects.filter(pk__in=ids, taken_at=self.at)
        with transaction.atomic():
            # In the order in which everybody locks several.
            list(ours.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
            yield ours


def _taken(until: datetime) -> Taken | None:
    """Requests that nobody else tells of and that are due by then."""
    with transaction.atomic():
        now = database_now()
        found = list(
            FirstMail.objects.due(until)
            .filter(Q(taken_at=None) | Q(due_at__lte=now))
            .order_by("due_at")
            .select_for_update(skip_locked=True, of=("self",), no_key=True)
            .values_list("pk", flat=True)[:MOST_TOGETHER]
        )
        if not found:
            return None
        FirstMail.objects.filter(pk__in=found).update(taken_at=now, due_at=now + MAIL_OVERDUE)
    return Taken(found, now)


def _mailed(taken: Taken) -> int:
    asked = _asked(
        to_be_mailed().filter(pk__in=taken.ids).order_by("review_deadline", "created_at", "pk")
    )
    waiting: dict[tuple[str, str], list[Notice]] = defaultdict(list)
    for each in asked:
        for address, language in each.readers.items():
            waiting[address, language].append(each.notices[language])
    mails = [
        addressed(_letter(notices, language), address, language)
        for (address, language), notices in sorted(waiting.items(), key=itemgetter(0))
    ]
    reached: set[str] = set()
    for start in range(0, len(mails), MAILS_WHILE_HELD):
        taken.hold()
        reached |= deliver(mails[start : start + MAILS_WHILE_HELD])
    taken.settle([each.request.pk for each in asked])
    for each in asked:
        _tell(each, len(reached & each.readers.keys()))
    return len(reached)


@dataclass(frozen=True)
class Asked:
    """A request with the addresses of those who are asked, each with its language, and what it says in these."""

    request: ApprovalRequest
    readers: Mapping[str, str]
    notices: Mapping[str, Notice]


def _asked(requests: Iterable[ApprovalRequest]) -> list[Asked]:
    """That of each. One that cannot be written about is left out: nobody is kept from hearing of the others."""
    known: dict[Hashable, Mapping[str, str]] = {}
    found = []
    for request in requests:
        try:
            # Many are asked of the same people at once: who they are is looked up once.
            who = _who_is_asked(request)
            if who not in known:
                known[who] = recipients(request)
            notices = {
                language: _notice(request, language) for language in set(known[who].values())
            }
            found.append(Asked(request, known[who], notices))
        except Exception:
            log.exception("letter_not_written", request=str(request.pk))
    return found


def _notice(request: ApprovalRequest, language: str) -> Notice:
    with translation.override(language):
        return notice(request)


def _who_is_asked(request: ApprovalRequest) -> Hashable:
    """What `recipients` depends on: the same for two requests that the same people are asked about."""
    return (
        tuple(sorted(row.group_id for row in request.request_groups.all())),
        request.initiator_id,
        request.barred_editor_id,
        request.owner_group_id if request.needs.exclude_owner else None,
        tuple(sorted(vote.user_id for vote in counted(request))),
        request.kind == Kind.QUESTION,
    )


def _letter(notices: Sequence[Notice], language: str) -> Letter:
    with translation.override(language):
        return letter(notices[0], "opened") if len(notices) == 1 else letter_about_several(notices)


def _tell(asked: Asked, letters: int) -> None:
    """Say in the run's trace, and under its ids, that people were told of the request."""
    run = asked.request.run_id
    ids = {"run": str(run)} if run else {}
    with log_ids.beside(**ids), tracing.span("mail reviewers", run=run):
        log.info("letters_sent", letters=letters)
