"""What was decided on calls like one: the same tool of the same agent, of those that the reader may see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals.desk import known_reader
from approvals.lists import STAND_INS, Shape, any_reader, given_of, kind_of, with_lists
from approvals.models import ApprovalRequest
from approvals.states import RequestState
from approvals.vocabulary import Kind
from audit.prepared import PreparedValues
from audit.wordings import Words

DAYS: Final = 90
#: No more are counted: further back the house was another one.
MOST: Final = 200
#: How the run was told, and in what words people read it; what nobody decided is not counted.
WORDS: Final = Words(
    {
        "approved": "approved",
        "edited": "edited",
        "sent_back": "sent back",
        "rejected": "rejected",
        "stopped": "ended the run",
        "expired": "not decided in time",
    }
)


@dataclass(frozen=True)
class Similar:
    """`counts` by word, in the order of `WORDS`; `newest` are the keys of the newest of them. `cut`: there may
    be more in those days, which were not counted."""

    counts: Sequence[tuple[str, int]]
    newest: Sequence[UUID]
    cut: bool

    @property
    def number(self) -> int:
        """How many were counted."""
        return sum(number for _, number in self.counts)


def similar_to(request: ApprovalRequest, caller: Caller, *, newest: int) -> Similar | None:
    """Of the last 90 days and at most 200, the newest first; None for what is no call. One query."""
    if request.kind != Kind.ACTION:
        return None
    reader = known_reader(caller)
    told = _like(kind_of(reader))(*given_of(reader), request.agent, request.tool, request.pk)
    words = [(row["pk"], _word(row["how"], row["who"], row["edited"])) for row in told]
    known = [(pk, word) for pk, word in words if word in WORDS]
    counted = Counter(word for _, word in known)
    return Similar(
        counts=[(words, counted[word]) for word, words in WORDS.items() if counted[word]],
        newest=[pk for pk, _ in known[:newest]],
        cut=len(told) == MOST,
    )


@cache
def _like(kind: Shape) -> PreparedValues:
    """The newest decisions on calls of a tool that a reader of this kind may see, but for one."""

    def build(
        person: int, group: int, own: int, agent: str, tool: str, but_for: UUID
    ) -> QuerySet[Any, Any]:
        rows = (
            ApprovalRequest.objects.visible_to(any_reader(kind, person, group, own))
            .filter(agent=agent, tool=tool)
            .exclude(state=RequestState.PENDING)
            .filter(decided_at__gte=Now() - timedelta(days=DAYS))
            .exclude(pk=but_for)
            .last_decided_first()
            .annotate(
                how=F("resolution__kind"),
                who=F("resolution__who"),
                edited=F("resolution__data__edited"),
            )
        )
        return rows.values("pk", "how", "who", "edited")[:MOST]

    given = (gettext("an agent"), "a tool", UUID(int=0))
    return PreparedValues(build, *STAND_INS, *given, rewrite=with_lists)


def _word(how: Any, who: Any, edited: Any) -> str:
    """`who` names what closed it where no person did: a policy that came later is no reviewer."""
    if who and how != "expired":
        return ""
    return "edited" if how == "approved" and edited else str(how)
