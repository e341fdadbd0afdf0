"""One request: its page, and what people do to it. Every change is one call of a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from pydantic import ValidationError

from accounts.confirmations import can_confirm, confirmation_of
from accounts.doors import signed_in
from approvals.argument_forms import ARGUMENTS, OUTPUT, SchemaForm
from approvals.desk import Desk
from approvals.errors import (
    AlreadyDecided,
    ContentChanged,
    RequestUnknown,
    SecondFactorRequired,
)
from approvals.forms import ReasonForm, VerdictForm
from approvals.models import ApprovalRequest
from approvals.schemas import DecisionIn
from approvals.services.claim import claim, release
from approvals.services.comment import comment
from approvals.services.decide import decide
from approvals.services.extend import extend
from approvals.services.show import found_for, show_to
from approvals.services.snooze import snooze, wake
from approvals.services.undo import undo
from approvals.states import VERDICTS
from approvals.views import second_factor
from approvals.views.dock import Forms, content_form, dock_of, verdict_form
from approvals.views.inbox import inbox_context
from approvals.views.listed import listed_of
from approvals.views.masking import masked
from approvals.views.request_view import RequestView
from approvals.views.similar import similar_view
from approvals.vocabulary import Kind, Verdict
from audit.errors import Conflict, Forbidden, Invalid, Refusal

STATUS: Mapping[type[Refusal], int] = {Conflict: 409, Forbidden: 403, Invalid: 422}
DRAFTS = ("reason", "message", "answer", "choice", "result", "output", "typed")
View = Callable[..., HttpResponse]


def found_or_404(view: View) -> View:
    """A request that the person may not see is not there."""

    @wraps(view)
    def guarded(request: HttpRequest, pk: UUID) -> HttpResponse:
        try:
            return view(request, pk)
        except RequestUnknown as refusal:
            raise Http404(refusal.detail) from refusal

    return guarded


# Page and fragment have one address: without Vary, going back would show the fragment as a page.
@vary_on_headers("HX-Request")
@login_required
@require_safe
@found_or_404
def request_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The request beside its list; alone as a fragment where a script asks for it."""
    item = show_to(request_id=pk, caller=signed_in(request))
    mode = str(request.GET.get("mode", ""))
    kept = second_factor.kept_of(request, item)
    if kept is None:
        return _render(request, item, mode=mode)
    if not kept.fits(item):
        second_factor.forget(request)
        return _render(request, item, conflict=_conflict(kept.post, Forms(), _changed(item)))
    # What was typed before the confirmation stands in its fields again.
    typed = _forms(item, kept.verdict, kept.post) if mode == kept.verdict else None
    return _render(request, item, mode=mode, forms=typed)


@login_required
@require_POST
@found_or_404
def request_decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a verdict. What does not fit comes back at its field, the draft with it."""
    caller = signed_in(request)
    item = found_for(request_id=pk, caller=caller)
    said = str(request.POST.get("verdict", ""))
    verdict = said if said in frozenset(Verdict) else ""
    masked(item, caller)
    forms = _forms(item, verdict, request.POST)
    checked = [each for each in (forms.verdict, forms.arguments) if each is not None]
    # Every form is checked, so that all that is wrong stands on the page at once.
    sound = [each.is_valid() for each in checked]
    if not all(sound):
        shown = show_to(request_id=pk, caller=caller)
        return _render(request, shown, mode=verdict, forms=forms, status=422)
    try:
        decision = _decision(request.POST, verdict, forms)
        confirmed = confirmation_of(request)
        decide(request_id=pk, decision=decision, caller=caller, second_factor=confirmed)
    except SecondFactorRequired as refusal:
        if not can_confirm(caller.user):
            return _refused(request, pk, verdict, forms, refusal)
        return second_factor.to_confirm(request, item, Verdict(verdict), listed_of(request))
    except Refusal as refusal:
        return _refused(request, pk, verdict, forms, refusal)
    second_factor.forget(request)
    return _done(request, pk)


def _forms(item: ApprovalRequest, verdict: str, post: Any) -> Forms:
    """The forms of a verdict, with what was posted in them."""
    content = content_form(item, verdict, post)
    return Forms(verdict=verdict_form(item, verdict, post), arguments=content)


def _decision(post: Any, verdict: str, forms: Forms) -> DecisionIn:
    """What was posted, as the one shape that decides. Raises Invalid for a form that was tampered with."""
    if any("\0" in str(value) for value in post.values()):
        raise Invalid(gettext("The form holds a NUL character."), code="form_not_whole")
    body: dict[str, Any] = dict(forms.verdict.body()) if forms.verdict is not None else {}
    if isinstance(forms.arguments, SchemaForm):
        body[forms.arguments.prefix_name] = forms.arguments.edited()
    for name in ("typed", "active_seconds"):
        if post.get(name):
            body[name] = post[name]
    try:
        return DecisionIn.model_validate(
            {
                "verdict": verdict,
                "revision": post.get("revision"),
                "digest": post.get("digest"),
                "shown_sha256": post.get("shown_sha256"),
                "nonce": post.get("nonce"),
                **body,
            }
        )
    except ValidationError as error:
        detail = gettext("The form was not whole. Reload the request and decide again.")
        raise Invalid(detail, code="form_not_whole") from error


def _refused(
    request: HttpRequest, pk: UUID, verdict: str, forms: Forms, refusal: Refusal
) -> HttpResponse:
    """The page as it stands now, with what was refused and why, and nothing that was typed lost."""
    if isinstance(refusal, RequestUnknown):
        raise refusal
    item = show_to(request_id=pk, caller=signed_in(request))
    status = next((code for kind, code in STATUS.items() if isinstance(refusal, kind)), 409)
    conflict = None
    problem: Refusal | None = refusal
    typed_error = ""
    if isinstance(refusal, AlreadyDecided | ContentChanged):
        conflict, problem = _conflict(request.POST, forms, refusal), None
    elif errors := refusal.params.get("errors"):
        problem = None
        typed_error = next((e["message"] for e in errors if e["field"] == "typed"), "")
        rest = [error for error in errors if error["field"] != "typed"]
        at_verdict, other = _parted(forms.verdict, rest)
        if at_verdict and forms.verdict is not None:
            forms.verdict.add_refusals(at_verdict)
        target = forms.arguments if isinstance(forms.arguments, SchemaForm) else forms.verdict
        if target is not None:
            target.add_refusals(other)
        elif other:
            problem = refusal
    return _render(
        request,
        item,
        mode="" if conflict else verdict,
        forms=forms if conflict is None else Forms(),
        conflict=conflict,
        problem=problem,
        typed_error=typed_error,
        status=status,
    )


Errors = list[Mapping[str, Any]]


def _parted(form: VerdictForm | None, errors: Errors) -> tuple[Errors, Errors]:
    """Those that speak of a field of the verdict's form, and the others."""
    names = form.fields if form is not None else {}
    return (
        [error for error in errors if error["field"] in names],
        [error for error in errors if error["field"] not in names],
    )


def _changed(item: ApprovalRequest) -> ContentChanged:
    return ContentChanged(
        revision=item.revision,
        digest=item.digest,
        shown_sha256=item.shown_sha256,
        what="shown_sha256",
    )


def _conflict(post: Any, forms: Forms, refusal: Refusal) -> dict[str, Any]:
    """Who was faster, with what and when, and the draft."""
    picked = forms.verdict.picked if isinstance(forms.verdict, ReasonForm) else ""
    draft = [{"label": gettext("Picked"), "value": picked}] if picked else []
    draft += [
        {"label": name.replace("_", " ").capitalize(), "value": post[name]}
        for name in DRAFTS
        if post.get(name)
    ]
    draft += [
        {"label": name.partition(".")[2], "value": value}
        for name, value in post.items()
        if name.startswith((f"{ARGUMENTS}.", f"{OUTPUT}."))
    ]
    decided = isinstance(refusal, AlreadyDecided)
    when = refusal.params.get("when")
    return {
        "title": gettext("Somebody was faster")
        if decided
        else gettext("It changed since you opened it"),
        "sentence": refusal.detail,
        "at": datetime.fromisoformat(when) if when else None,
        "draft": draft,
    }


@login_required
@require_POST
@found_or_404
def request_undo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take an approval back before it is used."""
    return _act(request, pk, lambda: undo(request_id=pk, caller=signed_in(request)))


@login_required
@require_POST
@found_or_404
def request_claim(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that one is on it, renew that, or let go. It authorises nothing."""
    caller = signed_in(request)
    if request.POST.get("release"):
        return _act(request, pk, lambda: release(request_id=pk, caller=caller))
    # An open page renews what it holds by itself; only a person takes over from another.
    asked = "renew" not in request.POST
    return _act(request, pk, lambda: claim(request_id=pk, caller=caller, take_over=asked))


@login_required
@require_POST
@found_or_404
def request_snooze(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Leave it out of one's own lists for a while, or take it back into them."""
    caller = signed_in(request)
    if request.POST.get("wake"):
        return _act(request, pk, lambda: wake(request_id=pk, caller=caller))
    hours = _whole(request.POST.get("hours"))
    return _act(request, pk, lambda: snooze(request_id=pk, hours=hours, caller=caller))


@login_required
@require_POST
@found_or_404
def request_extend(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Move the deadline."""
    hours = _whole(request.POST.get("hours"))
    return _act(request, pk, lambda: extend(request_id=pk, hours=hours, caller=signed_in(request)))


def _whole(posted: object) -> int:
    """A number as a form sends it; 0, which no service takes, for anything else."""
    text = str(posted)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


@login_required
@require_POST
@found_or_404
def request_comment(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Write a comment."""
    text = str(request.POST.get("text", ""))
    return _act(request, pk, lambda: comment(request_id=pk, body=text, caller=signed_in(request)))


def _act(request: HttpRequest, pk: UUID, act: Callable[[], object]) -> HttpResponse:
    try:
        act()
    except Refusal as refusal:
        return _refused(request, pk, "", Forms(), refusal)
    return _done(request, pk)


def _done(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Back to the request: a fragment for a script, a redirect without one."""
    if _wants_fragment(request):
        return _render(request, show_to(request_id=pk, caller=signed_in(request)))
    url = reverse("request-detail", kwargs={"pk": pk})
    return redirect(f"{url}?{listed_of(request).query}")


def _wants_fragment(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False)) and not request.htmx.history_restore_request  # type: ignore[attr-defined]


def _render(
    request: HttpRequest,
    item: ApprovalRequest,
    *,
    mode: str = "",
    forms: Forms | None = None,
    conflict: dict[str, Any] | None = None,
    problem: Refusal | None = None,
    typed_error: str = "",
    status: int = 200,
) -> HttpResponse:
    caller = signed_in(request)
    listed = listed_of(request)
    desk = Desk(caller)
    shown = RequestView(item, caller, listed, desk)
    # Before it is masked: what is hidden in it says what this person may not do.
    taken = {verdict for verdict in VERDICTS[Kind(item.kind)] if shown.takes(verdict)}
    masked(item, caller)
    dock = dock_of(
        item,
        shown.url,
        listed.query,
        mode,
        typed_error,
        taken=taken.__contains__,
        second_factor=second_factor.asked_of(request, item) if shown.is_pending else None,
    )
    forms = forms or Forms()
    if dock.open is not None:
        if forms.verdict is None:
            forms.verdict = verdict_form(item, dock.open.verdict)
        if forms.arguments is None:
            forms.arguments = content_form(item, dock.open.verdict)
    editing = mode == Verdict.EDIT and shown.may_decide and not shown.hidden
    context = {
        "shown": shown,
        "mode": mode if editing or mode != Verdict.EDIT else "",
        "dock": dock,
        "forms": forms,
        "conflict": conflict,
        "problem": problem,
        "similar": similar_view(item, caller),
        "listed": listed,
        "tab": listed.tab,
    }
    if _wants_fragment(request):
        return render(request, "approvals/_request.html", context, status=status)
    whole = {**inbox_context(request, desk, listed, item), **context}
    return render(request, "approvals/inbox.html", whole, status=status)
