"""Erasures: proposed by one person, confirmed by another."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from audit.errors import Refusal
from audit.keeping_forms import ConfirmErasureForm, ErasureForm
from audit.paging import BadCursor, page
from audit.people import called, names_of, spelled
from audit.ports import caller_of
from audit.record_keeping import Erasure, ErasureReason
from audit.services.redact import (
    confirm_erasure,
    decline_erasure,
    extent_of,
    propose_erasure,
)
from audit.subject_words import person_of, subject_in_words
from audit.views.doors import ROWS_PER_PAGE, pager, reads_audit

keeps_records = permission_required("accounts.keep_records", raise_exception=True)


@require_http_methods(["GET", "POST"])
@login_required
@reads_audit
@keeps_records
def erasure_list(request: HttpRequest) -> HttpResponse:
    """Erasures, the newest first, and the form that proposes one."""
    form = ErasureForm(request.POST if request.method == "POST" else request.GET or None)
    if request.method != "POST":
        form = ErasureForm(initial={"subject": request.GET.get("subject", "")})
    elif form.is_valid():
        try:
            erasure = propose_erasure(
                subject=form.cleaned_data["subject"],
                reason=ErasureReason(form.cleaned_data["reason"]),
                caller=caller_of(request),
            )
        except Refusal as refusal:
            form.add_error("subject", refusal.detail)
        else:
            messages.success(request, gettext("Proposed. Somebody else has to confirm it."))
            return redirect("audit-erasure", pk=erasure.pk)
    cursor = request.GET.get("cursor")
    try:
        shown = page(
            Erasure.objects.all(),
            order=("-proposed_at", "-id"),
            cursor=cursor,
            limit=ROWS_PER_PAGE,
        )
    except BadCursor:
        return redirect("audit-erasure-list")
    names = names_of(
        {person_of(each.subject) or "" for each in shown.items}
        | {each.proposed_by for each in shown.items}
    )
    context = {
        "form": form,
        "erasures": [
            (
                each,
                subject_in_words(each.subject, names),
                called(each.proposed_by, names),
            )
            for each in shown.items
        ],
        **pager("audit-erasure-list", {}, cursor, shown.next_cursor),
    }
    return render(request, "audit/erasures.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
@reads_audit
@keeps_records
def erasure_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One erasure: what it would erase, and the step that does it or declines."""
    erasure = get_object_or_404(Erasure, pk=pk)
    names = names_of({erasure.proposed_by, erasure.decided_by, person_of(erasure.subject) or ""})
    name = spelled(erasure.subject)
    form = ConfirmErasureForm(name=name)
    if request.method == "POST":
        if request.POST.get("act") == "decline":
            return _done(request, pk)
        form = ConfirmErasureForm(request.POST, name=name)
        if form.is_valid():
            try:
                confirm_erasure(
                    erasure_id=pk,
                    subject=erasure.subject,
                    caller=caller_of(request),
                )
            except Refusal as refusal:
                form.add_error(None, refusal.detail)
            else:
                messages.success(
                    request, gettext("Erased. Every event and every proof stays as it was.")
                )
                return redirect("audit-erasure", pk=pk)
    caller = caller_of(request)
    extent = extent_of(erasure)
    context = {
        "erasure": erasure,
        "about": subject_in_words(erasure.subject, names),
        "name": name if name != erasure.subject else "",
        "form": form,
        "is_open": extent is not None,
        "is_own": erasure.proposed_by == caller.actor.id,
        "hold": extent.hold if extent else None,
        "now": extent.disclosures if extent else erasure.disclosures,
        "events": extent.events if extent else None,
        "proposed_by": called(erasure.proposed_by, names),
        "decided_by": called(erasure.decided_by, names),
    }
    return render(request, "audit/erasure.html", context, status=422 if form.errors else 200)


def _done(request: HttpRequest, pk: UUID) -> HttpResponse:
    try:
        decline_erasure(erasure_id=pk, caller=caller_of(request))
    except Refusal as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, gettext("Declined. Nothing was erased."))
    return redirect("audit-erasure", pk=pk)
