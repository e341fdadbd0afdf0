"""What is kept how long, month by month."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from audit.ports import caller_of
from audit.services.retention_state import retention_state
from audit.views.doors import reads_audit


@require_GET
@login_required
@reads_audit
def retention(request: HttpRequest) -> HttpResponse:
    """The months of the log, newest first: kept, due, held or dropped."""
    return render(
        request, "audit/retention.html", {"state": retention_state(caller=caller_of(request))}
    )
