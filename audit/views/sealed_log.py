"""The sealed log for people: how sealing stands, its keys and checkpoints, and checks of the whole."""

from typing import Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from audit import finding_words, looked_at
from audit.models import Checkpoint, Log, LogKey
from audit.paging import BadCursor, page
from audit.people import called, names_of
from audit.ports import caller_of
from audit.services.cosigned import with_its_cosignatures, witnesses_state
from audit.services.sealing_state import sealing_state
from audit.services.streaming_state import streaming_state
from audit.services.verify_log import ask_verification
from audit.verification import Verification
from audit.views.doors import ROWS_PER_PAGE, pager, reads_audit

LATEST_CHECKS: Final = 5


@require_GET
@login_required
@reads_audit
def log_detail(request: HttpRequest) -> HttpResponse:
    """How the log is sealed: its size, the newest checkpoint, keys, and all checkpoints, newest first."""
    cursor = request.GET.get("cursor")
    try:
        shown = page(
            Checkpoint.objects.marked(),
            order=("-id",),
            cursor=cursor,
            limit=ROWS_PER_PAGE,
        )
    except BadCursor:
        return redirect("audit-log")
    checks = list(
        Verification.objects.visible_to(request.user).order_by("-created_at", "-id")[:LATEST_CHECKS]
    )
    names = names_of({each.asked_by for each in checks})
    newest = Checkpoint.objects.select_related("log").newest()
    context = {
        "state": sealing_state(),
        "newest": newest,
        "newest_note": with_its_cosignatures(newest).note if newest else "",
        "checkpoints": shown.items,
        "keys": LogKey.objects.select_related("log").order_by("-added_at", "verifier"),
        "sinks": [(each, finding_words.in_words(each.problem)) for each in streaming_state()],
        "witnesses": [(each, finding_words.in_words(each.problem)) for each in witnesses_state()],
        "logs": Log.objects.order_by("-id"),
        "checks": [(each, called(each.asked_by, names)) for each in checks],
        **pager("audit-log", {}, cursor, shown.next_cursor),
    }
    return render(request, "audit/log.html", context)


@require_POST
@login_required
@reads_audit
def verify_ask(request: HttpRequest) -> HttpResponse:
    """Have the whole log checked; where a check is underway, go to that one."""
    asked = ask_verification(caller=caller_of(request))
    return redirect("audit-verification", pk=asked.pk)


@require_GET
@login_required
@reads_audit
def verification(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One check and what it found; the fragment alone for a page that looks again."""
    check = get_object_or_404(Verification.objects.visible_to(request.user), pk=pk)
    context = {
        "check": check,
        # An older check kept its words alone.
        "looked_at": looked_at.in_words(check.looked_at) if check.looked_at else check.summary,
        "found": [finding_words.in_words(each) for each in check.found],
        "problem": finding_words.in_words(check.problem),
        "notes": [finding_words.in_words(each) for each in check.notes],
        "who": called(check.asked_by, names_of({check.asked_by})),
    }
    fragment = request.headers.get("HX-Request") == "true"
    template = "audit/_verification.html" if fragment else "audit/verification.html"
    return render(request, template, context)
