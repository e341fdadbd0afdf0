"""The insights page, its file, naming why a run failed, and when owners are alerted."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.doors import signed_in
from agents.hosted import hosted_of, titles_of
from agents.services.locking import require_control
from audit.errors import Refusal
from insights.asking import Question
from insights.csv_file import csv_of
from insights.forms import FailureForm, ThresholdsForm
from insights.models import Alert, RunFact, Thresholds
from insights.services.correct_failure import correct_failure
from insights.services.set_thresholds import set_thresholds
from insights.showing import page_of
from insights.visibility import require_sight
from insights.vocabulary import FAILURE_WORDS, Failure

ALERTS_SHOWN: Final = 10


@require_safe
@login_required
def insights(request: HttpRequest) -> HttpResponse:
    """What agents cost, how they do and what they ask of people. Nothing is counted here, sums are read."""
    caller = signed_in(request)
    require_sight(caller)
    question = Question.read(request.GET.dict())
    form = question.form
    context: dict[str, Any] = {"form": form, "query": request.GET.urlencode()}
    if not form.is_valid():
        return render(request, "insights/insights.html", context, status=422)
    found = question.answer(caller)
    alerts = Alert.objects.select_related("agent").order_by("-told_at", "-id")
    if form.asked.agent:
        alerts = alerts.filter(agent__slug=form.asked.agent)
    context |= {
        "answer": found,
        "report": found.report,
        "shown": page_of(found, question.offered.titles),
        "alerts": list(alerts[:ALERTS_SHOWN]),
        "may_set": caller.holds("manage_agents"),
        # Whatever somebody typed is asked for; only what there is has a page.
        "agent": form.asked.agent if form.asked.agent in question.offered.titles else "",
    }
    return render(request, "insights/insights.html", context)


@require_safe
@login_required
def insights_csv(request: HttpRequest) -> HttpResponse:
    """The same figures as a file."""
    caller = signed_in(request)
    require_sight(caller)
    question = Question.read(request.GET.dict())
    if not question.form.is_valid():
        return redirect("insights")
    found = question.answer(caller)
    period = question.form.asked.period
    return HttpResponse(
        csv_of(found.report, found.people or []),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="insights-{period.since}-{period.until}.csv"'
        },
    )


@require_http_methods(["GET", "POST"])
@login_required
def run_failure(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say why a run did not succeed."""
    caller = signed_in(request)
    try:
        require_control(pk, caller)
    except Refusal as refusal:
        if refusal.code == "unknown_run":
            raise Http404(refusal.detail) from refusal
        raise PermissionDenied(refusal.detail) from refusal
    fact = RunFact.objects.filter(pk=pk).exclude(failure="").select_related("run__agent").first()
    if fact is None:
        raise Http404(gettext("This run succeeded, has not ended, or is not counted yet."))
    posted = request.POST if request.method == "POST" else None
    form = FailureForm(posted, initial={"failure": fact.failure})
    if posted is not None and form.is_valid():
        correct_failure(run_id=pk, failure=Failure(form.cleaned_data["failure"]), caller=caller)
        messages.success(request, gettext("Noted. The figures follow within a minute."))
        return redirect("run-detail", pk=pk)
    context = {
        "form": form,
        "run_id": pk,
        "agent": fact.run.agent,
        "assigned": FAILURE_WORDS[Failure(fact.assigned)],
    }
    return render(request, "insights/run_failure.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
def agent_alerts(request: HttpRequest, slug: str) -> HttpResponse:
    """When the owners of an agent are alerted."""
    caller = signed_in(request)
    if not caller.holds("manage_agents"):
        raise PermissionDenied(
            gettext("Those who manage agents set when their owners are alerted.")
        )
    agent = hosted_of(slug)
    if agent is None:
        raise Http404(gettext("There is no such agent."))
    standing = Thresholds.objects.filter(agent_id=agent).first()
    posted = request.POST if request.method == "POST" else None
    form = ThresholdsForm(posted, initial=_initial(standing))
    if posted is not None and form.is_valid():
        try:
            set_thresholds(slug=slug, caller=caller, **form.thresholds)
        except Refusal as refusal:
            form.add_error(None, refusal.detail)
        else:
            messages.success(request, gettext("Set. It holds from the next look on."))
            return redirect("insights")
    context = {"form": form, "slug": slug, "title": titles_of([slug])[slug]}
    return render(
        request, "insights/agent_alerts.html", context, status=422 if form.errors else 200
    )


def _initial(standing: Thresholds | None) -> dict[str, Any]:
    if standing is None:
        return {}
    micros = standing.cost_micros
    return {
        "failure_percent": standing.failure_percent,
        "cost_times": standing.cost_times,
        "cost_dollars": None if micros is None else micros / 1_000_000,
    }
