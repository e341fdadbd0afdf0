"""Several requests decided together: a page that shows them all, and one with what came of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods
from pydantic import ValidationError

from accounts.callers import Caller
from accounts.doors import signed_in
from accounts.models import ReviewGroup
from approvals.batches import MOST, VERDICTS, nonce_for, why_alone
from approvals.errors import AlreadyDecided
from approvals.forms import ReasonForm
from approvals.models import ApprovalRequest
from approvals.schemas import DecisionIn
from approvals.services.decide import Decided
from approvals.services.decide_batch import BatchItem, ItemResult, decide_batch
from approvals.services.show import show_to
from approvals.standing import standing_of
from approvals.states import RequestState
from approvals.views.dock import chips_for
from approvals.views.listed import Listed, listed_of
from approvals.views.masking import masked
from approvals.views.request_view import RequestView
from approvals.vocabulary import Verdict
from audit import spellings
from audit.wordings import Words

TITLES = Words({Verdict.APPROVE: "Approve together", Verdict.REJECT: "Reject together"})
BUTTONS = Words({Verdict.APPROVE: "Approve", Verdict.REJECT: "Reject"})
#: The form as a whole; each field names its request.
FORM_FIELDS = ("revision", "digest", "shown_sha256")


@dataclass(frozen=True)
class LeftOut:
    """A request that is not decided together with the others, and why."""

    title: str
    url: str
    why: str


@dataclass(frozen=True)
class Said:
    """What came of one request, as the result page says it; `well` where the verdict counted."""

    title: str
    url: str
    sentence: str
    well: bool
    at: datetime | None = None
    undo_url: str = ""


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("accounts.decide_requests", raise_exception=True)
def inbox_batch(request: HttpRequest) -> HttpResponse:
    """Show what would be decided together; decide it when that is posted."""
    post = request.method == "POST"
    given = request.POST if post else request.GET
    verdict = str(given.get("verdict", ""))
    if verdict not in VERDICTS:
        raise Http404(gettext("Approve and reject are given to several requests together."))
    ids = _ids(given.getlist("id"))
    caller = signed_in(request)
    if not post:
        return _confirm(request, Verdict(verdict), ids, _form(verdict))
    form = _form(verdict, request.POST)
    if not ids or (form is not None and not form.is_valid()):
        return _confirm(request, Verdict(verdict), ids, form, status=422)
    body = form.body() if form is not None else {}
    results = _decide(request.POST, Verdict(verdict), ids, body, caller)
    return _results(request, Verdict(verdict), results)


def _form(verdict: str, data: Mapping[str, Any] | None = None) -> ReasonForm | None:
    """Why, for a rejection: one reason for all."""
    if verdict != Verdict.REJECT:
        return None
    return ReasonForm(data, verdict=verdict, chips=chips_for(verdict))


def _ids(posted: Iterable[str]) -> list[UUID]:
    """The requests that were ticked, each once; what is no id was not ticked on a page of ours."""
    found = []
    for text in posted:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return list(dict.fromkeys(found))


def _confirm(
    request: HttpRequest,
    verdict: Verdict,
    ids: list[UUID],
    form: ReasonForm | None,
    status: int = 200,
) -> HttpResponse:
    caller, listed = signed_in(request), listed_of(request)
    rows = ApprovalRequest.objects.visible_to(caller.user).in_bulk(ids)
    shown: list[RequestView] = []
    left_out: list[LeftOut] = []
    for pk in ids:
        if pk not in rows:
            continue
        view = RequestView(rows[pk], caller, listed)
        why = _why_not(view, verdict, shown)
        if why:
            left_out.append(_left_out(view, why))
        else:
            # What stands on this page was shown to whoever decides by it.
            shown.append(RequestView(show_to(request_id=pk, caller=caller), caller, listed))
    context = {
        "title": TITLES[verdict],
        "button": BUTTONS[verdict],
        "verdict": verdict.value,
        "shown": shown,
        "left_out": left_out,
        "form": form,
        "nonce": str(request.POST.get("nonce") or uuid4().hex),
        "listed": listed,
        "back": _back(listed),
    }
    return render(request, "approvals/batch.html", context, status=status)


def _why_not(view: RequestView, verdict: Verdict, shown: list[RequestView]) -> str:
    """Why this one is decided on its own, or not at all; empty where it goes with `shown`."""
    item = view.item
    if item.state != RequestState.PENDING:
        return standing_of(item).sentence
    why = why_alone(
        kind=item.kind,
        risk=item.risk,
        friction=item.needs.friction,
        hidden=bool(view.hidden),
    )
    if why:
        return why
    refusal = view.refusal_of(verdict)
    if refusal:
        return refusal
    first = shown[0].item if shown else item
    if (item.agent, item.tool) != (first.agent, first.tool):
        return gettext("another agent or tool than the first")
    return (
        ""
        if len(shown) < MOST
        else gettext("at most {most} are decided together").format(most=MOST)
    )


def _left_out(view: RequestView, why: str) -> LeftOut:
    title = masked(view.item, view.caller).title
    return LeftOut(title, view.url, why[:1].upper() + why[1:].rstrip("."))


def _decide(
    post: Any, verdict: Verdict, ids: list[UUID], body: dict[str, Any], caller: Caller
) -> list[ItemResult | UUID]:
    """A result for each; the id alone for one whose fields were not whole."""
    items = {}
    for pk in ids[:MOST]:
        try:
            items[pk] = DecisionIn.model_validate(
                {
                    "verdict": verdict,
                    "nonce": nonce_for(str(post.get("nonce", "")), pk),
                    **{name: post.get(f"{name}-{pk}") for name in FORM_FIELDS},
                    **body,
                }
            )
        except ValidationError:
            continue
    batch = [BatchItem(pk, decision) for pk, decision in items.items()]
    done = decide_batch(items=batch, caller=caller) if batch else []
    by_id = {each.request_id: each for each in done}
    return [by_id.get(pk, pk) for pk in ids]


def _results(
    request: HttpRequest, verdict: Verdict, results: list[ItemResult | UUID]
) -> HttpResponse:
    caller, listed = signed_in(request), listed_of(request)
    ids = [each if isinstance(each, UUID) else each.request_id for each in results]
    rows = ApprovalRequest.objects.visible_to(caller.user).in_bulk(ids)
    groups = dict(ReviewGroup.objects.values_list("slug", "title"))
    said = []
    for pk, each in zip(ids, results, strict=True):
        if pk in rows:
            said.append(_said(RequestView(rows[pk], caller, listed), each, groups))
    context = {
        "title": TITLES[verdict],
        "said": said,
        "well": sum(each.well for each in said),
        "gone": len(ids) - len(said),
        "listed": listed,
        "back": _back(listed),
    }
    return render(request, "approvals/batch_result.html", context)


def _said(view: RequestView, result: ItemResult | UUID, groups: Mapping[str, str]) -> Said:
    title, url = masked(view.item, view.caller).title, view.url
    if isinstance(result, UUID):
        return Said(title, url, gettext("The form was not whole. Open it and decide again."), False)
    if result.decided is not None:
        waits = result.decided.ready_at is not None and result.decided.ready_at > timezone.now()
        undo = reverse("request-undo", kwargs={"pk": result.request_id}) if waits else ""
        return Said(title, url, _outcome(result.decided, groups), True, undo_url=undo)
    refusal = result.refusal
    assert refusal is not None
    if isinstance(refusal, AlreadyDecided):
        when = refusal.params["when"]
        words = gettext("{what} by {who}").format(
            what=refusal.params["what"], who=refusal.params["who"]
        )
        at = datetime.fromisoformat(when) if when else None
        return Said(title, url, words[:1].upper() + words[1:], False, at)
    return Said(title, url, refusal.detail, False)


def _outcome(decided: Decided, groups: Mapping[str, str]) -> str:
    if decided.state == RequestState.PENDING:
        lacks = [
            gettext("{number} of {slug}").format(number=number, slug=groups.get(slug, slug))
            for slug, number in decided.remaining.items()
        ]
        return gettext("Your approval counts; it still needs {lacks}.").format(
            lacks=spellings.both(lacks)
        )
    return gettext("Rejected.") if decided.verdict == Verdict.REJECT else gettext("Approved.")


def _back(listed: Listed) -> str:
    return f"{reverse('inbox')}?{listed.query}"
