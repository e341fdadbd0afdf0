"""The auditor's pages: the list of events, one event, and exports."""

from typing import Final
from uuid import UUID

import orjson
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from audit import finding_words
from audit.completeness_words import in_words as completeness_in_words
from audit.download import CONTENT_TYPES, file_response
from audit.errors import Conflict, Invalid, Refusal
from audit.filter_words import in_words
from audit.forms import ExportForm, FilterForm
from audit.models import Event, Export, ExportState, Leaf
from audit.paging import BadCursor, page
from audit.people import called, names_of
from audit.ports import caller_of
from audit.retention import dropped_at, dropped_from
from audit.rows import Row, rows_of
from audit.services.ask_export import ask_export
from audit.services.checkpoints import EventProof, LogDamaged, NotSealedYet, prove_event
from audit.services.disclose import Disclosed, disclose
from audit.services.download_export import download_export
from audit.subject_words import person_of, subject_in_words
from audit.views.doors import address, reads_audit

EVENTS_PER_PAGE: Final = 50
EXPORTS_PER_PAGE: Final = 50

exports_audit = permission_required("accounts.export_audit", raise_exception=True)


@require_GET
@login_required
@reads_audit
def audit_list(request: HttpRequest) -> HttpResponse:
    """Events that fit the filters in the address, newest first."""
    form = FilterForm(request.GET)
    rows: list[Row] = []
    given: dict[str, str] = {}
    next_cursor = None
    if form.is_valid():
        chosen = form.chosen()
        given = chosen.given()
        found = chosen.applied_to(Event.objects.visible_to(request.user))
        try:
            shown = page(
                found,
                order=Event.NEWEST_FIRST,
                cursor=request.GET.get("cursor"),
                limit=EVENTS_PER_PAGE,
            )
        except BadCursor:
            messages.warning(
                request, gettext("That page is not there any more. This is the first one.")
            )
            return redirect(address("audit-list", given))
        rows, next_cursor = rows_of(shown.items), shown.next_cursor
    context = {
        "form": form,
        "rows": rows,
        "given": given,
        "next_url": address("audit-list", {**given, "cursor": next_cursor}) if next_cursor else "",
        "first_url": address("audit-list", given) if request.GET.get("cursor") else "",
        "may_export": request.user.has_perm("accounts.export_audit"),
        "export_form": ExportForm(auto_id="export_%s"),
    }
    return render(request, "audit/list.html", context, status=200 if form.is_valid() else 422)


@require_GET
@login_required
@reads_audit
def audit_event(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One event: its sentence, its bytes, its place in its stream; what it keeps apart when asked for."""
    event = Event.objects.visible_to(request.user).filter(pk=pk).first()
    if event is None:
        return _event_without_body(request, pk)
    opened = request.GET.get("disclosures") == "shown"
    body = orjson.loads(bytes(event.body))
    around = Event.objects.visible_to(request.user).in_stream(event.stream)
    near = rows_of([event, *around.filter(seq__in=[event.seq - 1, event.seq + 1])])
    neighbours = {row.event.seq: row for row in near[1:]}
    before = neighbours.get(event.seq - 1)
    proof, damage = _proof(request, event)
    context = {
        "event": event,
        "proof": proof,
        "damage": damage,
        "path": [each.hex() for each in proof.path] if proof else [],
        "row": near[0],
        "json": orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode(),
        "size": len(event.body),
        "digests": body.get("_sd", []),
        "disclosures": _opened(request, event) if opened else None,
        "before": before,
        "dropped": dropped_from(event.stream, event.seq - 1) if before is None else None,
        "after": neighbours.get(event.seq + 1),
    }
    return render(request, "audit/event.html", context)


def _event_without_body(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What is left of an event whose body went with its month, or was deleted: its place in the log, its leaf hash."""
    leaf = get_object_or_404(Leaf, event=pk)
    month = dropped_at(leaf.event_inserted_at)
    context = {"event": pk, "leaf": leaf, "leaf_hex": bytes(leaf.leaf_hash).hex(), "month": month}
    return render(request, "audit/event_dropped.html", context)


@require_GET
@login_required
@exports_audit
def export_list(request: HttpRequest) -> HttpResponse:
    """Exports that were asked for, newest first."""
    try:
        shown = page(
            Export.objects.visible_to(request.user),
            cursor=request.GET.get("cursor"),
            limit=EXPORTS_PER_PAGE,
        )
    except BadCursor:
        return redirect("audit-export-list")
    names = names_of({export.asked_by for export in shown.items})
    next_url = (
        address("audit-export-list", {"cursor": shown.next_cursor}) if shown.next_cursor else ""
    )
    context = {
        "exports": [
            (export, called(export.asked_by, names), filters)
            for export, filters in zip(
                shown.items, in_words([each.filters for each in shown.items]), strict=True
            )
        ],
        "next_url": next_url,
        "first_url": reverse("audit-export-list") if request.GET.get("cursor") else "",
    }
    return render(request, "audit/exports.html", context)


@require_POST
@login_required
@exports_audit
def export_ask(request: HttpRequest) -> HttpResponse:
    """Ask for an export of the events that the list shows."""
    form = ExportForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.complaint())
        return redirect("audit-list")
    chosen = form.chosen()
    try:
        export = ask_export(
            chosen=chosen,
            file_format=form.cleaned_data["format"],
            caller=caller_of(request),
            **form.wishes(),
        )
    except (Conflict, Invalid) as refusal:
        messages.error(request, refusal.detail)
        return redirect(address("audit-list", chosen.given()))
    return redirect("audit-export", pk=export.pk)


@require_GET
@login_required
@exports_audit
def export_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far an export is, and where to download it; the fragment alone for a page that looks again."""
    export = get_object_or_404(Export.objects.visible_to(request.user), pk=pk)
    context = {
        "export": export,
        "who": called(export.asked_by, names_of({export.asked_by})),
        "underway": export.state in (ExportState.QUEUED, ExportState.RUNNING),
        "failed": export.state == ExportState.FAILED,
        "removed": export.state == ExportState.REMOVED,
        "problem": finding_words.in_words(export.problem),
        "completeness": completeness_in_words(export.completeness, size=export.size),
        "filters": in_words([export.filters])[0],
    }
    fragment = request.headers.get("HX-Request") == "true"
    return render(request, "audit/_export.html" if fragment else "audit/export.html", context)


@require_GET
@login_required
@exports_audit
def export_download(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The file of a finished export."""
    get_object_or_404(Export.objects.visible_to(request.user), pk=pk)
    try:
        export, path = download_export(pk, caller=caller_of(request))
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return redirect("audit-export", pk=pk)
    return file_response(
        request, path, name=export.file_name, content_type=CONTENT_TYPES[export.format]
    )


def _opened(request: HttpRequest, event: Event) -> list[tuple[Disclosed, str]]:
    """What the event keeps apart, each value with whom or what it is about in words."""
    found = disclose([event], caller=caller_of(request)).get(event.id, [])
    names = names_of({person_of(each.subject or "") or "" for each in found})
    return [(each, subject_in_words(each.subject or "", names)) for each in found]


def _proof(request: HttpRequest, event: Event) -> tuple[EventProof | None, str]:
    """Where the event stands in the sealed log, None while it waits; or what does not fit, in a sentence."""
    try:
        return prove_event(event.pk, viewer=caller_of(request).user), ""
    except NotSealedYet:
        return None, ""
    except LogDamaged as damage:
        return None, damage.detail
