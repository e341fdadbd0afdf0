"""Legal holds: what stands, setting one, lifting one."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from audit.errors import Invalid, Refusal
from audit.keeping_forms import HoldForm
from audit.paging import BadCursor, page
from audit.people import called, id_of, names_of
from audit.ports import caller_of
from audit.record_keeping import Hold, HoldScope
from audit.retention import kept_for
from audit.services.hold import lift_hold, set_hold
from audit.subject_words import subject_in_words
from audit.views.doors import ROWS_PER_PAGE, pager, reads_audit

_STORIES: Final[dict[str, str]] = {
    HoldScope.RUN: "audit-run-story",
    HoldScope.REQUEST: "audit-request-story",
}


@require_http_methods(["GET", "POST"])
@login_required
@reads_audit
def hold_list(request: HttpRequest) -> HttpResponse:
    """Holds, the newest first; records keepers set one below."""
    may_keep = request.user.has_perm("accounts.keep_records")
    if request.method == "POST" and not may_keep:
        raise PermissionDenied(gettext("Records keepers set legal holds."))
    form = HoldForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        since, until = form.period()
        scope = HoldScope(form.cleaned_data["scope"])
        target = form.cleaned_data["target"].strip()
        try:
            set_hold(
                matter=form.cleaned_data["matter"],
                why=form.cleaned_data["why"],
                scope=scope,
                target=id_of(target) if scope == HoldScope.PERSON and target else target,
                since=since,
                until=until,
                caller=caller_of(request),
            )
        except Invalid as refusal:
            for problem in refusal.problems:
                form.add_error(problem["field"] or None, problem["message"])
        else:
            messages.success(
                request, gettext("The hold stands. What it covers is neither erased nor dropped.")
            )
            return redirect("audit-hold-list")
    cursor = request.GET.get("cursor")
    try:
        shown = page(
            Hold.objects.all(), order=("-set_at", "-id"), cursor=cursor, limit=ROWS_PER_PAGE
        )
    except BadCursor:
        return redirect("audit-hold-list")
    people = {person for hold in shown.items for person in (hold.set_by, hold.lifted_by)}
    people |= {hold.target for hold in shown.items if hold.scope == HoldScope.PERSON}
    names = names_of(people)
    context = {
        "form": form,
        "holds": [
            {
                "hold": hold,
                "set_by": called(hold.set_by, names),
                "lifted_by": called(hold.lifted_by, names),
                "target": _target(hold, names),
                "story": _story(hold),
            }
            for hold in shown.items
        ],
        "may_keep": may_keep,
        "kept_days": kept_for().days,
        **pager("audit-hold-list", {}, cursor, shown.next_cursor),
    }
    return render(request, "audit/holds.html", context, status=422 if form.errors else 200)


def _target(hold: Hold, names: Mapping[str, str]) -> str:
    if hold.scope == HoldScope.PERSON:
        return subject_in_words(f"person:{hold.target}", names)
    return f"…{hold.target[-8:]}" if hold.scope in _STORIES else hold.target


def _story(hold: Hold) -> str:
    """Where the story of a run or request is told; empty for all else."""
    name = _STORIES.get(hold.scope)
    return reverse(name, kwargs={"pk": hold.target}) if name else ""


@require_POST
@login_required
@reads_audit
def hold_lift(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Lift one hold."""
    if not request.user.has_perm("accounts.keep_records"):
        raise PermissionDenied(gettext("Records keepers lift legal holds."))
    try:
        hold = lift_hold(hold_id=pk, caller=caller_of(request))
    except Refusal as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(
            request, gettext("The hold for {matter} is lifted.").format(matter=hold.matter)
        )
    return redirect("audit-hold-list")
