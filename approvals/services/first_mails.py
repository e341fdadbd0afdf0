"""Mail about requests that were opened: to each person one mail about all that came since, however many came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import translation

from accounts.letters import Letter, addressed, deliver
from approvals.models import ApprovalRequest
from approvals.queues import MAIL_OVERDUE
from approvals.services.notify import (
    Notice,
    letter,
    letter_about_several,
    notice,
    recipients,
    to_be_mailed,
)
from approvals.vocabulary import Kind
from audit import log_ids, tracing
from audit.clock import database_now

#: Requests that are taken at once.
MOST_TOGETHER: Final = 200

log = structlog.get_logger(__name__)


def send_first() -> int:
    """Mail those who may decide about every request that waits and that nobody was told of; how many mails
    were sent.

    Each request is taken by one process; where that ended before it was done, or the mail could not be sent,
    another takes it after `MAIL_OVERDUE`. So nobody is left out, and somebody may be told twice. Mail errors are
    raised.
    """
    sent = 0
    while (taken := _taken()) is not None:
        sent += _mailed(taken)
    return sent


@dataclass(frozen=True)
class Taken:
    """Requests that one process tells of, and the moment at which it took them."""

    ids: Sequence[UUID]
    at: datetime

    def settle(self, ids: Collection[UUID]) -> None:
        """Nobody needs to tell of these any more, unless they were opened anew meanwhile."""
        still_ours = ApprovalRequest.objects.filter(pk__in=ids, notified_at=self.at)
        still_ours.update(mail_due_at=None)


def _taken() -> Taken | None:
    """Requests that nobody else tells of: those that are due, and those that soon will be."""
    with transaction.atomic():
        now = database_now()
        soon = now + timedelta(seconds=settings.COUNTERSIGN.mail_gather_seconds)
        found = list(
            ApprovalRequest.objects.pending()
            .filter(Q(notified_at=None) | Q(mail_due_at__lte=now), mail_due_at__lte=soon)
            .order_by("mail_due_at")
            .select_for_update(skip_locked=True, of=("self",), no_key=True)
            .values_list("pk", flat=True)[:MOST_TOGETHER]
        )
        if not found:
            return None
        ApprovalRequest.objects.filter(pk__in=found).update(
            notified_at=now, mail_due_at=now + MAIL_OVERDUE
        )
    return Taken(found, now)


def _mailed(taken: Taken) -> int:
    asked = _asked(
        to_be_mailed().filter(pk__in=taken.ids).order_by("review_deadline", "created_at", "pk")
    )
    waiting: dict[tuple[str, str], list[Notice]] = defaultdict(list)
    for each in asked:
        for address, language in each.readers.items():
            waiting[address, language].append(each.notices[language])
    sent = deliver(
        [
            addressed(_letter(notices, language), address, language)
            for (address, language), notices in sorted(waiting.items(), key=itemgetter(0))
        ]
    )
    taken.settle([each.request.pk for each in asked])
    for each in asked:
        _tell(each)
    return sent


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
        request.kind == Kind.QUESTION,
    )


def _letter(notices: Sequence[Notice], language: str) -> Letter:
    with translation.override(language):
        return letter(notices[0], "opened") if len(notices) == 1 else letter_about_several(notices)


def _tell(asked: Asked) -> None:
    """Say in the run's trace, and under its ids, that people were told of the request."""
    run = asked.request.run_id
    ids = {"run": str(run)} if run else {}
    with log_ids.beside(**ids), tracing.span("mail reviewers", run=run):
        log.info("letters_sent", letters=len(asked.readers))
