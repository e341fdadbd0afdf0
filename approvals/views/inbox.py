"""The inbox: the lists Mine, Team, Snoozed and Decided, whole or as fragments."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.callers import Caller
from accounts.doors import signed_in
from approvals import eligibility
from approvals.batches import MOST, why_alone
from approvals.desk import STAND_INS, Desk, Lists, Shape, any_reader, given_of, kind_of, with_lists
from approvals.models import ApprovalRequest, ApprovalRequestQuerySet, Reader
from approvals.standing import standing_of
from approvals.states import RequestState
from approvals.templatetags.interface import counted
from approvals.views.masking import masked
from approvals.views.request_words import KIND_WORDS
from approvals.vocabulary import Friction, Kind
from audit.prepared import Prepared

MOST_ROWS = 50
# A request has many columns, and most of them are large.
_IN_A_ROW = (
    *("kind", "state", "version", "risk", "agent", "agent_title", "tool", "title", "preview"),
    *("sensitive", "withheld", "arguments", "question", "rationale", "initiator", "resolution"),
    *("review_deadline", "calendar", "decided_at", "claim_expires_at"),
    *("claimed_by__username", "claimed_by__display_name"),
    *("decided_by__username", "decided_by__display_name"),
)
TABS = {"mine": "Mine", "team": "Team", "snoozed": "Snoozed", "decided": "Decided"}


@dataclass(frozen=True)
class Row:
    """One request in a list, as templates/approvals/_row.html takes it.

    `batch` is the same for requests that may be decided together, and empty for one that is decided
    alone; `alone` then says why.
    """

    item: ApprovalRequest
    url: str
    sub: str
    closed: str
    claimed_by: str
    current: bool
    alone: str = ""
    batch: str = ""


def tab_of(request: HttpRequest) -> str:
    """The list that the address names; Team for anything else."""
    tab = str(request.POST.get("tab") or request.GET.get("tab") or "")
    return tab if tab in TABS else "team"


@login_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """The lists, with nothing open beside them."""
    context = inbox_context(request, Desk(signed_in(request)))
    return render(request, "approvals/inbox.html", context)


@login_required
@require_safe
def inbox_rows(request: HttpRequest) -> HttpResponse:
    """The rows of one list, for a page that heard a hint."""
    context = rows_context(request, Desk(signed_in(request)))
    return render(request, "approvals/_rows.html", context)


@login_required
@require_safe
def inbox_counts(request: HttpRequest) -> JsonResponse:
    """How many there are in the lists that wait."""
    numbers = Desk(signed_in(request)).counts
    return JsonResponse({"counts": {tab: counted(number) for tab, number in numbers.items()}})


def inbox_context(
    request: HttpRequest, desk: Desk, current: ApprovalRequest | None = None
) -> dict[str, Any]:
    """What templates/approvals/inbox.html takes, but for the open request."""
    tab = tab_of(request)
    # First, since the numbers of the lists come with it.
    rest = desk.rest if current is None else None
    return {
        **rows_context(request, desk, current),
        "tabs": [
            {
                "key": key,
                "label": label,
                "count": desk.counts.get(key),
                "url": f"{reverse('inbox')}?{urlencode({'tab': key})}",
                "current": key == tab,
            }
            for key, label in TABS.items()
        ],
        "inbox_count": desk.counts["team"],
        "most_together": MOST,
        "shown": None,
        "rest": rest,
    }


def rows_context(
    request: HttpRequest, desk: Desk, current: ApprovalRequest | None = None
) -> dict[str, Any]:
    """The rows of the list that the address names, at most fifty, and how many there are."""
    caller, tab = desk.caller, tab_of(request)
    search = str(request.GET.get("q", "")).strip()[:200]
    reads = eligibility.reads_sensitive(caller, listed=True)
    found = _searched(desk, tab, search, reads) if search else _listed(desk.reader, tab)
    found_here = found[:MOST_ROWS]
    decidable = _decidable(found_here, desk, tab)
    shown = [_row(item, caller, tab, current, decidable) for item in found_here]
    return {
        "rows": shown,
        "tab": tab,
        "batches": tab in ("mine", "team") and caller.holds("decide_requests"),
        "search": search,
        "all": _number(desk, tab, search, reads) if len(found) > MOST_ROWS else 0,
        "elsewhere": 0 if shown else desk.elsewhere,
    }


def _decidable(rows: Sequence[ApprovalRequest], desk: Desk, tab: str) -> set[UUID]:
    """Those of the rows that the person may decide now: all of Team, and of Mine those that are asked for."""
    if tab == "mine" and rows:
        asked = desk.lists.of("team").filter(pk__in=[row.pk for row in rows])
        return set(asked.values_list("pk", flat=True))
    return {row.pk for row in rows} if tab == "team" else set()


def _number(desk: Desk, tab: str, search: str, reads: bool) -> int:
    if search:
        return matching(desk.lists.of(tab), search, reads=reads).number()
    return desk.counts[tab] if tab in desk.counts else desk.lists.of(tab).number()


def _listed(reader: Reader, tab: str) -> list[ApprovalRequest]:
    """The first rows of the list, and one more where there are more."""
    return _rows(kind_of(reader), tab)(*given_of(reader))


@cache
def _rows(kind: Shape, tab: str) -> Prepared[ApprovalRequest]:
    """For the readers of a kind, made once."""

    def build(person: int, group: int, own: int) -> ApprovalRequestQuerySet:
        lists = Lists(any_reader(kind, person, group, own))
        return _as_rows(lists.of(tab))[: MOST_ROWS + 1]

    return Prepared(build, *STAND_INS, rewrite=with_lists)


def _searched(desk: Desk, tab: str, search: str, reads: bool) -> list[ApprovalRequest]:
    rows = matching(_as_rows(desk.lists.of(tab)), search, reads=reads)
    return list(rows[: MOST_ROWS + 1])


def _as_rows(rows: ApprovalRequestQuerySet) -> ApprovalRequestQuerySet:
    """With what a row says joined, and no more."""
    asked = KeyTextTransform("friction", "requirements")
    joined = rows.select_related("claimed_by", "decided_by").annotate(friction=asked)
    return joined.only(*_IN_A_ROW)


def matching(rows: ApprovalRequestQuerySet, search: str, *, reads: bool) -> ApprovalRequestQuerySet:
    """Those whose title, agent or tool holds every word.

    Unless the reader `reads` sensitive arguments, a title that may tell one is not searched: whether
    something is found would tell it too.
    """
    open_title = Q() if reads else Q(sensitive=[], withheld=[])
    for word in search.split()[:8]:
        rows = rows.filter(
            (open_title & Q(title__icontains=word))
            | Q(agent_title__icontains=word)
            | Q(agent__icontains=word)
            | Q(tool__icontains=word)
        )
    return rows


def _row(
    item: ApprovalRequest,
    caller: Caller,
    tab: str,
    current: ApprovalRequest | None,
    decidable: Collection[UUID],
) -> Row:
    hidden = eligibility.hidden_arguments(item, caller, listed=True)
    alone = _why_alone(item, bool(hidden), item.pk in decidable)
    masked(item, caller, listed=True)
    pending = item.state == RequestState.PENDING
    holder = item.claimed_by
    until = item.claim_expires_at
    claimed = holder is not None and until is not None and until > timezone.now()
    mine = claimed and item.claimed_by_id == caller.user.pk
    kind = "" if item.kind == Kind.ACTION else f"{KIND_WORDS[Kind(item.kind)]} · "
    closed = "" if pending else _closed(item)
    return Row(
        item=item,
        url=f"{reverse('request-detail', kwargs={'pk': item.pk})}?{urlencode({'tab': tab})}",
        sub=f"{kind}{item.agent_title}",
        closed=closed[:1].upper() + closed[1:],
        claimed_by="you are on it"
        if mine
        else (holder.get_full_name() if claimed and holder else ""),
        current=current is not None and current.pk == item.pk,
        alone=alone,
        batch="" if alone else f"{item.agent} {item.tool}",
    )


def _why_alone(item: ApprovalRequest, hidden: bool, decidable: bool) -> str:
    """Why the request is not decided together with others."""
    # Annotated by `listed`: of all that is required, a row needs no more.
    friction = str(getattr(item, "friction", None) or Friction.NONE)
    why = why_alone(kind=item.kind, risk=item.risk, friction=friction, hidden=hidden)
    return why or ("" if decidable else "not yours to decide now")


def _closed(item: ApprovalRequest) -> str:
    """How it was closed, with the reason that was picked."""
    return " · ".join(part for part in (standing_of(item).sentence, item.reason_label) if part)
