"""Random samples: drawn, looked at, taken along."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from audit import spreadsheet
from audit.errors import Invalid
from audit.filter_words import in_words
from audit.filters import EventFilter
from audit.keeping_forms import SampleForm
from audit.models import Event
from audit.paging import BadCursor, page
from audit.people import called, names_of
from audit.ports import caller_of
from audit.record_keeping import Sample
from audit.rows import rows_of
from audit.sampling import IN_WORDS, rank
from audit.services.draw_sample import UnknownSample, draw_sample, find_sample
from audit.views.doors import ROWS_PER_PAGE, pager, reads_audit


@require_http_methods(["GET", "POST"])
@login_required
@reads_audit
def sample_list(request: HttpRequest) -> HttpResponse:
    """Samples that were drawn, and the form that draws another."""
    form = SampleForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            sample = draw_sample(
                chosen=EventFilter(**form.chosen_given()),
                seed=form.cleaned_data["seed"],
                size=form.cleaned_data["size"],
                caller=caller_of(request),
            )
        except Invalid as refusal:
            for problem in refusal.problems:
                form.add_error(problem["field"] or None, problem["message"])
        else:
            return redirect("audit-sample", pk=sample.pk)
    cursor = request.GET.get("cursor")
    try:
        shown = page(Sample.objects.all(), cursor=cursor, limit=ROWS_PER_PAGE)
    except BadCursor:
        return redirect("audit-sample-list")
    names = names_of({sample.drawn_by for sample in shown.items})
    context = {
        "form": form,
        "samples": [
            (sample, called(sample.drawn_by, names), filters)
            for sample, filters in zip(
                shown.items, in_words([each.filters for each in shown.items]), strict=True
            )
        ],
        **pager("audit-sample-list", {}, cursor, shown.next_cursor),
    }
    return render(request, "audit/samples.html", context, status=422 if form.errors else 200)


@require_GET
@login_required
@reads_audit
def sample_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One sample: its events, and what it takes to draw it again."""
    sample = _found(request, pk)
    context = {
        "sample": sample,
        "who": called(sample.drawn_by, names_of({sample.drawn_by})),
        "filters": in_words([sample.filters])[0],
        "algorithm": gettext(IN_WORDS),
        "draws": [
            (place, rank(sample.seed, event), event, row)
            for place, event, row in _events(request, sample)
        ],
    }
    return render(request, "audit/sample.html", context)


@require_GET
@login_required
@reads_audit
def sample_download(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The list as CSV: place, rank, id, and what is known of each event."""
    sample = _found(request, pk)
    lines = [
        spreadsheet.line(["place", "rank", "event", "type", "time", "leaf_hash", "what_happened"])
    ]
    for place, event, row in _events(request, sample):
        known = (
            [row.event.type, row.body["time"], f"sha256:{row.event.leaf_hex}", row.sentence]
            if row
            else ["", "", "", gettext("The body is no longer kept.")]
        )
        lines.append(spreadsheet.line([str(place), rank(sample.seed, event), str(event), *known]))
    response = HttpResponse(b"".join(lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="countersign-sample-{sample.pk}.csv"'
    return response


def _found(request: HttpRequest, pk: UUID) -> Sample:
    try:
        return find_sample(pk, caller=caller_of(request))
    except UnknownSample as refusal:
        raise Http404 from refusal


def _events(request: HttpRequest, sample: Sample) -> list[tuple[int, UUID, Any]]:
    """Place, id and row of each event; no row where its body is no longer kept."""
    found = Event.objects.visible_to(request.user).filter(pk__in=sample.chosen)
    rows = {row.event.pk: row for row in rows_of(found)}
    return [(place, event, rows.get(event)) for place, event in enumerate(sample.chosen, start=1)]
