"""One page of what auditors ask about first."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from audit.exceptions import KINDS
from audit.keeping_forms import ExceptionsForm
from audit.models import Event
from audit.paging import BadCursor, page
from audit.rows import rows_of
from audit.views.doors import ROWS_PER_PAGE, address, pager, reads_audit


@require_GET
@login_required
@reads_audit
def exceptions(request: HttpRequest) -> HttpResponse:
    """Exceptions of a period and a kind, the newest first."""
    form = ExceptionsForm(request.GET)
    context = {"form": form, "rows": [], "given": {}}
    if form.is_valid():
        given = form.given()
        events = Event.objects.visible_to(request.user).between(*form.period())
        found = events.exceptions(form.cleaned_data["kind"])
        cursor = request.GET.get("cursor")
        try:
            shown = page(found, order=Event.NEWEST_FIRST, cursor=cursor, limit=ROWS_PER_PAGE)
        except BadCursor:
            return redirect(address("audit-exceptions", given))
        rows = [
            (KINDS[row.event.exception], row)  # type: ignore[attr-defined]
            for row in rows_of(shown.items)
        ]
        context |= {"rows": rows, "given": given}
        context |= pager("audit-exceptions", given, cursor, shown.next_cursor)
    return render(request, "audit/exceptions.html", context, status=200 if form.is_valid() else 422)
