"""Simulations of drafts: asked for, under way, finished."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from accounts.doors import signed_in
from approvals.charts import curve_chart
from approvals.layouts import words_of
from approvals.models import Simulation
from approvals.naming import names
from approvals.policies import load
from approvals.policy_diff import changes
from approvals.policy_words import Names, line_title, names_of
from approvals.services import policies
from approvals.services.simulate import ask_simulation
from approvals.simulation_forms import SimulationForm
from approvals.views.drafts import found, page
from approvals.views.policy_page import saying_refusals
from audit.clock import database_now


@login_required
@require_POST
@saying_refusals
def policy_simulate(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a simulation of the draft; its page says what came of it."""
    caller = signed_in(request)
    draft = found(pk, caller)
    form = SimulationForm(request.POST, policy=load(draft.document))
    if not form.is_valid():
        problems = [
            {"field": name, "message": str(error)}
            for name, errors in form.errors.items()
            for error in errors
        ]
        return page(request, draft, problems=problems, status=422)
    until = database_now()
    simulation = ask_simulation(
        draft_id=pk,
        since=until - timedelta(days=form.cleaned_data["days"]),
        until=until,
        line=form.cleaned_data["line"],
        caller=caller,
    )
    return redirect("policy-simulation", pk=simulation.pk)


@login_required
@require_safe
@saying_refusals
def policy_simulation(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far it is, or what came of it."""
    simulation = Simulation.objects.select_related("draft", "asked_by").filter(pk=pk).first()
    if simulation is None:
        raise Http404(gettext("There is no such simulation."))
    draft = found(simulation.draft_id, signed_in(request))
    context = {**shown(simulation), "draft": draft}
    template = (
        "approvals/_simulation.html"
        if request.headers.get("HX-Request")
        else ("approvals/simulation.html")
    )
    return render(request, template, context)


def shown(simulation: Simulation) -> dict[str, Any]:
    """One simulation for its page."""
    called = names()
    result = _named(simulation.result or {}, called)
    before = policies.version(simulation.against).policy
    return {
        "simulation": simulation,
        "result": result,
        "changes": changes(before, load(simulation.document), called),
        "is_stale": simulation.edition != simulation.draft.edition,
        "running": simulation.state in (Simulation.State.QUEUED, Simulation.State.RUNNING),
        "line_title": _line_title(simulation, called) if simulation.line else "",
        "chart": curve_chart(result["curve"]) if result.get("curve") else None,
        "labelled": _labelled(result),
        "points": (result.get("curve") or [])[::5],
    }


def _named(result: dict[str, Any], called: Names) -> dict[str, Any]:
    """The result with tools and agents as people call them."""
    said: dict[str, Any] = {
        key: [
            {**line, "tool": words_of(line["tool"]), "agent": called.agent(line["agent"])}
            for line in result[key]
        ]
        for key in ("lines", "refused_first")
        if key in result
    }
    return {**result, **said}


def _line_title(simulation: Simulation, called: Names) -> str:
    """What the curve is over: a rule by its title."""
    counted = names_of(simulation.line)
    rules = {rule.name: rule.title for rule in load(simulation.document).rules}
    return rules.get(counted.get("rule", "")) or line_title(counted, called)


def _labelled(result: dict[str, Any]) -> int:
    labels: dict[str, int] = result.get("labels", {})
    return sum(number for name, number in labels.items() if name != "unlabelled")
