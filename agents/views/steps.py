"""Steps of a run: a window of them, and one of them whole."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from accounts.doors import signed_in
from agents.services.fork_run import may_fork
from agents.services.look_at import look_at
from agents.timeline import read_step, read_window
from agents.views.runs import may_control, visible_run
from agents.withheld import cleared
from audit.clock import database_now


@require_GET
@login_required
def run_window(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    """One window of the run's steps, for a page on which the reader comes near it."""
    caller = signed_in(request)
    run = visible_run(caller, pk)
    cleared(run, look_at(run, caller))
    window = read_window(run, number, caller, now=database_now())
    if window is None:
        raise Http404(gettext("The run has no steps there."))
    context = {"run": run, "window": window, "titled": True, "may_undo": may_control(run, caller)}
    return render(request, "agents/_window.html", context)


@require_GET
@login_required
@vary_on_headers("HX-Request", "HX-Target")
def run_step(request: HttpRequest, pk: UUID, seq: int) -> HttpResponse:
    """One step with its raw request and response; for a page that opens it in place these alone, or the panel
    that stands beside its timeline."""
    caller = signed_in(request)
    run = visible_run(caller, pk)
    cleared(run, look_at(run, caller))
    whole = read_step(run, seq, caller, now=database_now())
    if whole is None:
        raise Http404(gettext("The run has no such step."))
    context = {
        "run": run,
        "whole": whole,
        "row": whole.row,
        "may_undo": may_control(run, caller),
        "may_fork": may_fork(run, caller),
    }
    if request.headers.get("HX-Request") != "true":
        return render(request, "agents/run_step.html", context)
    beside = request.headers.get("HX-Target") == "step-panel"
    return render(request, "agents/_step_panel.html" if beside else "agents/_raw.html", context)
