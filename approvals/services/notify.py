"""Notify: tell those who may decide, by e-mail, each in their own language. The mail has a title and a link
and decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from accounts.letters import Letter, readers, send_letters
from approvals.asked import deciders
from approvals.characters import spelled
from approvals.models import ApprovalRequest
from approvals.vocabulary import Kind
from approvals.withholding import Withheld
from audit import spellings
from audit.naming import words_for
from audit.wordings import Words

#: Requests that one mail names; whoever has more to look at looks into the inbox.
MOST_LISTED: Final = 50

_SUBJECTS: Final = Words(
    {
        "opened": "Waiting for you: {title}",
        "reminder": "Still waiting: {title}",
        "escalated": "Now with you: {title}",
    }
)
_RISKS: Final = Words(
    {
        "low": "low risk",
        "medium": "medium risk",
        "high": "high risk",
        "critical": "critical risk",
    }
)


def notify(*, request_id: UUID, occasion: str) -> int:
    """Send one mail to each person who may decide the request, and to their groups' addresses.

    Returns how many were sent. `occasion` is `reminder` or `escalated`; of what was opened people are told by
    `first_mails`. A request that no longer waits gets none. Mail errors are raised.
    """
    request = to_be_mailed().filter(pk=request_id).first()
    if request is None:
        return 0
    return send_letters(lambda: letter(notice(request), occasion), recipients(request))


def to_be_mailed() -> QuerySet[ApprovalRequest]:
    """Requests that wait, with what `recipients` looks at."""
    return (
        ApprovalRequest.objects.pending()
        .select_related("initiator")
        .prefetch_related("request_groups__group")
    )


class Notice(NamedTuple):
    """What a mail says of one request, in one language."""

    title: str
    asks: str
    link: str


def notice(request: ApprovalRequest) -> Notice:
    """That, in the language at hand."""
    asks = gettext("{agent} asks for a decision ({risk}).").format(
        agent=request.agent_title or request.agent, risk=_RISKS.get(request.risk) or request.risk
    )
    if request.review_deadline is not None:
        due = spellings.day_and_minute(timezone.localtime(request.review_deadline))
        asks += " " + gettext("It is due on {moment}.").format(moment=due)
    link = settings.COUNTERSIGN.address + reverse("request-detail", kwargs={"pk": request.pk})
    return Notice(_title(request), asks, link)


def letter(said: Notice, occasion: str) -> Letter:
    """A mail about one request, in the language at hand. `occasion` is also `opened`."""
    return Letter(
        _SUBJECTS[occasion].format(title=said.title),
        f"{said.title}\n\n{said.asks}\n\n{gettext('Look at it and decide here:')}\n{said.link}\n\n"
        f"{_decides_nothing()}\n",
    )


def letter_about_several(said: Sequence[Notice]) -> Letter:
    """A mail about requests that were opened, in the language at hand; past `MOST_LISTED` it only counts them."""
    listed = ["\n".join(each) for each in said[:MOST_LISTED]]
    more = len(said) - len(listed)
    if more:
        listed.append(
            ngettext("… and {number} more.", "… and {number} more.", more).format(
                number=spellings.number(more)
            )
        )
    inbox = settings.COUNTERSIGN.address + reverse("inbox")
    text = "\n\n".join(listed)
    return Letter(
        ngettext(
            "{number} request waits for you", "{number} requests wait for you", len(said)
        ).format(number=spellings.number(len(said))),
        f"{text}\n\n{gettext('All that waits for you:')}\n{inbox}\n\n{_decides_nothing()}\n",
    )


def _decides_nothing() -> str:
    return gettext("This mail decides nothing, and neither does an answer to it.")


def _title(request: ApprovalRequest) -> str:
    """The request's title in one line; without what not every reader may see."""
    if request.sensitive:
        tool = words_for({("tool", request.tool)}).get(f"tool:{request.tool}", request.tool)
        return f"{request.agent_title or request.agent}: {tool}"
    return spelled(" ".join(Withheld(request.withheld).text(request.title).split()))


def recipients(request: ApprovalRequest) -> dict[str, str]:
    """Addresses of those whose verdict would be taken, and of the groups asked, each with its language."""
    groups = [row.group for row in request.request_groups.all()]
    people = [found.user for found in deciders(request, [group.pk for group in groups])]
    if request.kind == Kind.QUESTION and request.initiator:
        people.append(request.initiator)
    return readers(people, groups=[group.email for group in groups])
