"""The inbox: the lists Mine, Team, Snoozed and Decided, whole or as fragments."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.db.models.fields.json import KeyTextTransform
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from accounts.callers import Caller
from accounts.doors import signed_in
from approvals import eligibility, filters
from approvals.batches import MOST, why_alone
from approvals.desk import Desk
from approvals.filters import NO_FILTERS, Filters, fitting
from approvals.layouts import words_of
from approvals.lists import (
    MOST_PREPARED,
    STAND_INS,
    Lists,
    Shape,
    any_reader,
    given_of,
    kind_of,
    with_lists,
)
from approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from approvals.standing import standing_of
from approvals.states import RequestState
from approvals.templatetags.interface import counted
from approvals.views.list_form import ListFilterForm
from approvals.views.listed import TABS, Listed, chips_of, listed_of
from approvals.views.masking import masked
from approvals.views.request_words import KIND_WORDS
from approvals.views.saved_views import lines_of
from approvals.vocabulary import Friction, Kind
from audit.prepared import Prepared

MOST_ROWS = 40
MOST_NAMED = 20
# A request has many columns, and most of them are large.
_IN_A_ROW = (
    *("kind", "state", "version", "risk", "agent", "agent_title", "tool", "title", "preview"),
    *("sensitive", "withheld", "arguments", "question", "rationale", "initiator", "resolution"),
    *("review_deadline", "risk_rank", "calendar", "decided_at", "claim_expires_at"),
    *("claimed_by__username", "claimed_by__display_name"),
    *("decided_by__username", "decided_by__display_name"),
)


@dataclass(frozen=True)
class Row:
    """One request in a list, as the tag `request_row` takes it.

    `order` is greater for what comes later in a list that waits. `batch` is the same for requests that
    may be decided together, and empty for one that is decided alone; `alone` then says why.
    """

    item: ApprovalRequest
    url: str
    sub: str
    closed: str
    claimed_by: str
    current: bool
    order: str
    alone: str = ""
    batch: str = ""


@login_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """The lists, with nothing open beside them."""
    listed = listed_of(request)
    context = inbox_context(request, Desk(signed_in(request)), listed)
    return render(request, "approvals/inbox.html", context, status=422 if listed.wrong else 200)


@login_required
@require_safe
def inbox_rows(request: HttpRequest) -> HttpResponse:
    """The rows of one list for a page that heard hints: all, or those that are named as they are now."""
    desk, listed = Desk(signed_in(request)), listed_of(request)
    # Without what a whole page's templates are given: a fragment has no rail.
    if names := request.GET.getlist("id"):
        context = named_context(desk, listed, names)
        return HttpResponse(render_to_string("approvals/_named_rows.html", context))
    return HttpResponse(render_to_string("approvals/_rows.html", rows_context(desk, listed)))


@login_required
@require_safe
def inbox_counts(request: HttpRequest) -> JsonResponse:
    """How many there are in the lists that wait."""
    return JsonResponse({"counts": _counts(Desk(signed_in(request)))})


def _counts(desk: Desk) -> dict[str, str]:
    return {tab: counted(number) for tab, number in desk.counts.items()}


def inbox_context(
    request: HttpRequest, desk: Desk, listed: Listed, current: ApprovalRequest | None = None
) -> dict[str, Any]:
    """What templates/approvals/inbox.html takes, but for the open request."""
    # First, since the numbers of the lists come with it.
    rest = desk.rest if current is None else None
    shown = rows_context(desk, listed, current)
    views = lines_of(desk.caller, listed.query)
    return {
        **shown,
        "tabs": [
            {
                "key": key,
                "label": label,
                "count": desk.counts.get(key),
                "url": f"{reverse('inbox')}?{urlencode({'tab': key})}",
                "current": key == listed.tab,
            }
            for key, label in TABS.items()
        ],
        "chips": chips_of(listed, {row.item.agent: row.item.agent_title for row in shown["rows"]}),
        "panel": _panel(desk, listed) if listed.wrong or "filters" in request.GET else None,
        "panel_url": f"{reverse('inbox')}?{listed.query}&filters=open",
        "views": views,
        "may_save": bool(listed.filters) and not any(view.current for view in views),
        "decided_query": listed.in_tab("decided"),
        "inbox_count": desk.counts["team"],
        "most_together": MOST,
        "shown": None,
        "rest": rest,
    }


def rows_context(
    desk: Desk, listed: Listed, current: ApprovalRequest | None = None
) -> dict[str, Any]:
    """The rows of the list that the address names, at most fifty, and how many there are."""
    caller, tab = desk.caller, listed.tab
    found = [] if listed.wrong else _found(desk, listed)
    found_here = found[:MOST_ROWS]
    decidable = _decidable(found_here, desk, tab)
    shown = [_row(item, caller, listed, current, decidable) for item in found_here]
    return {
        "rows": shown,
        "listed": listed,
        "tab": tab,
        "batches": tab in ("mine", "team") and caller.holds("decide_requests"),
        "whole_url": f"{reverse('inbox')}?{urlencode({'tab': tab})}",
        "all": desk.number(tab, listed.filters) if len(found) > MOST_ROWS else 0,
        "looked_through_since": _looked_through_since(desk, listed, len(found)),
        "elsewhere": 0 if shown or listed.said else desk.elsewhere,
    }


def named_context(desk: Desk, listed: Listed, names: Sequence[str]) -> dict[str, Any]:
    """What templates/approvals/_named_rows.html takes: those of the named requests that stand in the list, those
    that do not wait any more, and the numbers of the lists.

    Raises BadRequest for a name that is none, and for more than a page asks for.
    """
    caller, ids = desk.caller, _ids(names)
    here = [] if listed.wrong else _named(desk, listed.tab, listed.filters, ids)
    gone = sorted(set(ids) - {item.pk for item in here})
    closed = _named(desk, "decided", NO_FILTERS, gone) if gone and listed.tab != "decided" else []
    decidable = _decidable(here, desk, listed.tab)
    return {
        "rows": [_row(item, caller, listed, None, decidable) for item in here],
        "closed": [_row(item, caller, listed, None, ()) for item in closed],
        "batches": listed.tab in ("mine", "team") and caller.holds("decide_requests"),
        "counts": json.dumps(_counts(desk)),
    }


def _ids(names: Sequence[str]) -> list[UUID]:
    if len(names) > MOST_NAMED:
        raise BadRequest(f"At most {MOST_NAMED} rows are asked for by name.")
    try:
        return [UUID(name) for name in names]
    except ValueError as error:
        raise BadRequest("An id is a UUID.") from error


def _named(desk: Desk, tab: str, asked: Filters, ids: Sequence[UUID]) -> list[ApprovalRequest]:
    """Those of the requests that stand in the list and fit."""
    if asked.words:
        return list(_as_rows(desk.fitting(tab, asked)).filter(pk__in=ids))
    rows = _rows_named(kind_of(desk.reader), tab, asked.shape)
    return rows(*given_of(desk.reader), *asked.values, list(ids))


@lru_cache(maxsize=MOST_PREPARED)
def _rows_named(kind: Shape, tab: str, shape: Filters) -> Prepared[ApprovalRequest]:
    def build(person: int, group: int, own: int, *values: Any) -> ApprovalRequestQuerySet:
        lists, (*asked, named) = Lists(any_reader(kind, person, group, own)), values
        found = fitting(lists.of(tab), shape, person=person, reads=False, values=tuple(asked))
        return _as_rows(found).filter(pk__in=[named])

    ids = UUID(int=0)
    return Prepared(build, *STAND_INS, *filters.STAND_INS, ids, rewrite=with_lists)


def _decidable(rows: Sequence[ApprovalRequest], desk: Desk, tab: str) -> set[UUID]:
    """Those of the rows that the person may decide now: all of Team, and of Mine those that are asked for."""
    if tab == "mine" and rows:
        asked = desk.lists.of("team").filter(pk__in=[row.pk for row in rows])
        return set(asked.values_list("pk", flat=True))
    return {row.pk for row in rows} if tab == "team" else set()


def _found(desk: Desk, listed: Listed) -> list[ApprovalRequest]:
    """The first rows of the list that fit, and one more where there are more."""
    reader, asked = desk.reader, listed.filters
    if asked.words or listed.tab == "decided":
        found = desk.holding(listed.tab, asked) if asked.words else desk.decided(asked).ids
        first = found[: MOST_ROWS + 1]
        return _named(desk, listed.tab, NO_FILTERS, first) if first else []
    rows = _rows(kind_of(reader), listed.tab, asked.shape)
    return rows(*given_of(reader), *asked.values)


def _looked_through_since(desk: Desk, listed: Listed, found: int) -> datetime | None:
    """Where less was found than is listed, and older decisions were not looked through: since when."""
    if listed.tab != "decided" or listed.wrong or found > MOST_ROWS:
        return None
    return desk.looked_through_since(listed.filters)


def _panel(desk: Desk, listed: Listed) -> ListFilterForm:
    """The filters as a form, with the agents and tools of the list to pick from."""
    agents, tools = desk.names(listed.tab)
    return ListFilterForm(
        listed.said,
        tab=listed.tab,
        agents=sorted(agents.items(), key=lambda each: each[1].casefold()),
        tools=[(tool, words_of(tool)) for tool in sorted(tools)],
    )


@lru_cache(maxsize=MOST_PREPARED)
def _rows(kind: Shape, tab: str, shape: Filters) -> Prepared[ApprovalRequest]:
    """For the readers of a kind, made once."""

    def build(person: int, group: int, own: int, *values: Any) -> ApprovalRequestQuerySet:
        lists = Lists(any_reader(kind, person, group, own))
        found = fitting(lists.of(tab), shape, person=person, reads=False, values=values)
        return _as_rows(found)[: MOST_ROWS + 1]

    return Prepared(build, *STAND_INS, *filters.STAND_INS, rewrite=with_lists)


def _as_rows(rows: ApprovalRequestQuerySet) -> ApprovalRequestQuerySet:
    """With what a row says joined, and no more."""
    asked = KeyTextTransform("friction", "requirements")
    joined = rows.select_related("claimed_by", "decided_by").annotate(friction=asked)
    return joined.only(*_IN_A_ROW)


def _row(
    item: ApprovalRequest,
    caller: Caller,
    listed: Listed,
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
        url=f"{reverse('request-detail', kwargs={'pk': item.pk})}?{listed.query}",
        sub=f"{kind}{item.agent_title}",
        closed=closed[:1].upper() + closed[1:],
        claimed_by=gettext("you are on it")
        if mine
        else (holder.get_full_name() if claimed and holder else ""),
        current=current is not None and current.pk == item.pk,
        order=_order(item),
        alone=alone,
        batch="" if alone else f"{item.agent} {item.tool}",
    )


def _order(item: ApprovalRequest) -> str:
    """As `by_deadline` orders, in a text, so that a page can put a row where the list has it."""
    ends = item.review_deadline
    return (
        f"{ends:%Y%m%d%H%M%S%f} {9 - item.risk_rank} {item.pk}"
        if ends
        else f"~ {9 - item.risk_rank} {item.pk}"
    )


def _why_alone(item: ApprovalRequest, hidden: bool, decidable: bool) -> str:
    """Why the request is not decided together with others."""
    # Annotated by `listed`: of all that is required, a row needs no more.
    friction = str(getattr(item, "friction", None) or Friction.NONE)
    why = why_alone(kind=item.kind, risk=item.risk, friction=friction, hidden=hidden)
    return why or ("" if decidable else gettext("not yours to decide now"))


def _closed(item: ApprovalRequest) -> str:
    """How it was closed, with the reason that was picked."""
    return " · ".join(part for part in (standing_of(item).sentence, item.reason_label) if part)
