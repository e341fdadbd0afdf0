"""Pages of evaluations: the list, one beside the one before, saved cases, and a case made from a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.models import HostedAgent, Run
from agents.states import RunState
from agents.views.refusals import say
from audit.errors import Forbidden, NotFound, Refusal
from audit.paging import BadCursor, page
from evaluations import wording
from evaluations.comparing import Compared, Rate, compare, rates_of
from evaluations.forms import CaseForm, EvaluationFilterForm
from evaluations.models import CaseResult, Evaluation, SavedCase
from evaluations.reading import before, case_of_run
from evaluations.schemas import Case, Suite
from evaluations.services.save_case import delete_case, may_save, save_case
from evaluations.suite_files import write_case, write_suite
from evaluations.suites import saved_cases
from evaluations.vocabulary import CaseState, Change, EvaluationState

PER_PAGE: Final = 40
MOST_OFFERED: Final = 20


@dataclass(frozen=True)
class EvaluationRow:
    """One evaluation in a list."""

    evaluation: Evaluation
    state: str
    tone: str


@dataclass(frozen=True)
class Attempt:
    """A case, played once, with what is not as expected in sentences."""

    result: CaseResult
    state: str
    tone: str
    problems: list[str]


@dataclass(frozen=True)
class CaseRow:
    """A case with all the times that it was played, and beside the other evaluation where there is one."""

    name: str
    rate: Rate
    attempts: list[Attempt]
    compared: Compared | None
    change: str
    tone: str


@require_GET
@login_required
def evaluation_list(request: HttpRequest) -> HttpResponse:
    """Evaluations of the agents whose evaluations one may see, newest first."""
    caller = signed_in(request)
    rows = Evaluation.objects.visible_to(caller.user).select_related("agent", "agent_version")
    rows = rows.defer("suite_document", "agent_version__definition")
    shown = _listed(request, caller, rows, "evaluation-list", ("-started_at", "-id"))
    if isinstance(shown, HttpResponse):
        return shown
    found = [
        EvaluationRow(each, wording.STATES[state], wording.TONES[state])
        for each in shown["items"]
        for state in (EvaluationState(each.state),)
    ]
    return render(request, "evaluations/evaluation_list.html", {**shown, "rows": found})


@require_GET
@login_required
def evaluation_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One evaluation: how each case turned out, and what changed since another one."""
    caller = signed_in(request)
    evaluation = _evaluation(caller, pk)
    results = list(evaluation.results.defer("script").order_by("place", "attempt"))
    other = _other(request, caller, evaluation)
    earlier = list(other.results.defer("script").order_by("place", "attempt")) if other else []
    compared = compare(evaluation, results, other, earlier) if other else []
    state = EvaluationState(evaluation.state)
    context = {
        "evaluation": evaluation,
        "state": wording.STATES[state],
        "tone": wording.TONES[state],
        "other": other,
        "others": _others(caller, evaluation),
        "rows": _rows(results, {each.name: each for each in compared}),
        "gone": [each for each in compared if each.change is Change.GONE],
        "counts": _counts(compared),
        "open_runs": _open_runs(results, caller),
    }
    return render(request, "evaluations/evaluation_detail.html", context)


@require_GET
@login_required
def case_list(request: HttpRequest) -> HttpResponse:
    """Cases that people saved, newest first."""
    caller = signed_in(request)
    rows = SavedCase.objects.visible_to(caller.user).select_related("agent", "saved_by")
    shown = _listed(
        request, caller, rows.defer("document"), "evaluation-cases", ("-created_at", "-id")
    )
    if isinstance(shown, HttpResponse):
        return shown
    return render(request, "evaluations/case_list.html", {**shown, "rows": shown["items"]})


@require_http_methods(["GET", "POST"])
@login_required
def case_from_run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A case as a run makes it, for a person to look through, change and save."""
    caller = signed_in(request)
    try:
        run, case = case_of_run(pk, caller)
    except Refusal as refusal:
        say(request, refusal)
        return redirect("run-detail", pk=pk)
    given = {"suite": f"{run.agent.slug}-cases"[:63], "document": write_case(case)}
    form = CaseForm(request.POST or None, initial=given)
    if request.method == "POST" and form.is_valid():
        saved = _saved(form, caller, run.agent.slug, made_from=run.pk)
        if saved is not None:
            messages.success(request, gettext("Saved. It is played with the next evaluation."))
            return redirect("evaluation-case", pk=saved.pk)
    context = {
        "form": form,
        "run": run,
        "agent": run.agent,
        "failed": run.state in (RunState.FAILED, RunState.CANCELLED),
        "row": None,
    }
    return render(request, "evaluations/case_form.html", context, status=_status(form))


@require_http_methods(["GET", "POST"])
@login_required
def case_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A saved case, and what it says."""
    caller = signed_in(request)
    row = _case(caller, pk)
    able = may_save(row.agent, caller)
    given = {"suite": row.suite, "document": write_case(Case.model_validate(row.document))}
    form = CaseForm(request.POST or None, initial=given)
    if request.method == "POST" and form.is_valid():
        saved = _saved(form, caller, row.agent.slug, case_id=row.pk)
        if saved is not None:
            messages.success(request, gettext("Saved. What was played before stays as it was."))
            return redirect("evaluation-case", pk=pk)
    context = {
        "form": form,
        "row": row,
        "agent": row.agent,
        "may_save": able,
        "run": _visible_run(row, caller),
    }
    return render(request, "evaluations/case_form.html", context, status=_status(form))


@require_POST
@login_required
def case_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete it, and go back to the list."""
    try:
        delete_case(case_id=pk, caller=signed_in(request))
    except Refusal as refusal:
        say(request, refusal)
    else:
        messages.success(request, gettext("Deleted. What was played before stays as it was."))
    return redirect("evaluation-cases")


@require_GET
@login_required
def suite_export(request: HttpRequest, agent: str, suite: str) -> HttpResponse:
    """The saved cases of a suite, as a file that `manage.py evaluate --suite` takes."""
    caller = signed_in(request)
    rows = SavedCase.objects.visible_to(caller.user).filter(agent__slug=agent, suite=suite)
    if not rows.exists():
        raise Http404(gettext("There is no such suite, or you may not see it."))
    text = write_suite(Suite(suite=suite, agent=agent, cases=saved_cases(agent, suite)))
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{suite}.yaml"'
    return response


def _listed(
    request: HttpRequest,
    caller: Caller,
    rows: QuerySet[Any],
    name: str,
    order: tuple[str, ...],
) -> dict[str, Any] | HttpResponse:
    """A page of the rows that the filters ask for."""
    agents = HostedAgent.objects.visible_to(caller.user).order_by("title", "slug")
    form = EvaluationFilterForm(
        request.GET, agents=list(agents.values_list("slug", "title")), auto_id="filter-%s"
    )
    given = {}
    if form.is_valid():
        given = {key: value for key, value in form.cleaned_data.items() if value}
        rows = rows.filter(**{_COLUMNS[key]: value for key, value in given.items()})
    else:
        rows = rows.none()
    cursor = request.GET.get("cursor")
    try:
        shown = page(rows, order=order, cursor=cursor, limit=PER_PAGE)
    except BadCursor:
        messages.warning(
            request, gettext("That page is not there any more. This is the first one.")
        )
        return redirect(_url(name, given))
    return {
        "items": shown.items,
        "filters": form,
        "given": given,
        "next_url": _url(name, {**given, "cursor": shown.next_cursor}) if shown.next_cursor else "",
        "first_url": _url(name, given) if cursor else "",
    }


_COLUMNS: Final = {"agent": "agent__slug", "suite": "suite"}


def _url(name: str, given: dict[str, Any]) -> str:
    return reverse(name) + (f"?{urlencode(given)}" if given else "")


def _evaluation(caller: Caller, pk: UUID) -> Evaluation:
    rows = Evaluation.objects.visible_to(caller.user).filter(pk=pk)
    rows = rows.select_related("agent", "agent_version", "started_by")
    evaluation = rows.defer("agent_version__definition").first()
    if evaluation is None:
        raise Http404(gettext("There is no such evaluation, or you may not see it."))
    return evaluation


def _other(request: HttpRequest, caller: Caller, evaluation: Evaluation) -> Evaluation | None:
    """The evaluation that is asked for to compare with; else the one before of the same suite."""
    asked = request.GET.get("against", "")
    if not asked:
        return before(evaluation)
    try:
        return _evaluation(caller, UUID(asked))
    except ValueError as error:
        raise Http404(gettext("There is no such evaluation, or you may not see it.")) from error


def _others(caller: Caller, evaluation: Evaluation) -> list[Evaluation]:
    """The newest other evaluations of the suite, to choose from."""
    rows = Evaluation.objects.visible_to(caller.user).filter(
        agent=evaluation.agent_id, suite=evaluation.suite
    )
    rows = rows.exclude(pk=evaluation.pk).select_related("agent_version")
    rows = rows.defer("suite_document", "agent_version__definition")
    return list(rows.newest_first()[:MOST_OFFERED])


def _rows(results: Iterable[CaseResult], compared: dict[str, Compared]) -> list[CaseRow]:
    """The cases: what got worse first, then what failed, then the others in the suite's order."""
    attempts: dict[str, list[Attempt]] = {}
    kept = list(results)
    for result in kept:
        state = CaseState(result.state)
        said = [wording.problem_said(problem) for problem in result.problems]
        attempt = Attempt(result, wording.CASE_STATES[state], wording.CASE_TONES[state], said)
        attempts.setdefault(result.name, []).append(attempt)
    rates = rates_of(kept)
    rows = [
        CaseRow(
            name,
            rates[name],
            made,
            compared.get(name),
            wording.CHANGES[compared[name].change] if name in compared else "",
            wording.CHANGE_TONES[compared[name].change] if name in compared else "",
        )
        for name, made in attempts.items()
    ]
    return sorted(rows, key=_first_what_matters)


def _first_what_matters(row: CaseRow) -> tuple[bool, float]:
    worse = row.compared is not None and row.compared.change is Change.WORSE
    return not worse, row.rate.share


def _counts(compared: Iterable[Compared]) -> list[tuple[str, int]]:
    changes = [each.change for each in compared]
    return [
        (wording.CHANGES[change], changes.count(change)) for change in Change if change in changes
    ]


def _open_runs(results: Iterable[CaseResult], caller: Caller) -> set[UUID]:
    """Of the runs of these results, those that the caller may open."""
    pks = [result.run_id for result in results if result.run_id]
    return set(Run.objects.visible_for(caller).filter(pk__in=pks).values_list("pk", flat=True))


def _case(caller: Caller, pk: UUID) -> SavedCase:
    rows = SavedCase.objects.visible_to(caller.user).select_related(
        "agent__owner_group", "saved_by"
    )
    row = rows.filter(pk=pk).first()
    if row is None:
        raise Http404(gettext("There is no such case, or you may not see it."))
    return row


def _visible_run(row: SavedCase, caller: Caller) -> Run | None:
    """The run that a case was made from, for whoever may open it."""
    if row.made_from_id is None:
        return None
    return Run.objects.visible_for(caller).filter(pk=row.made_from_id).first()


def _saved(form: CaseForm, caller: Caller, agent: str, **more: Any) -> SavedCase | None:
    """The saved case; None where that was refused, which the form says."""
    try:
        return save_case(
            agent=agent, suite=form.cleaned_data["suite"], case=form.case, caller=caller, **more
        )
    except NotFound as refusal:
        raise Http404(refusal.detail) from refusal
    except Forbidden as refusal:
        raise PermissionDenied(refusal.detail) from refusal
    except Refusal as refusal:
        form.refuse(refusal)
    return None


def _status(form: CaseForm) -> int:
    return 422 if form.is_bound and form.errors else 200
