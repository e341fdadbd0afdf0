"""The list of runs, starting one, and the page of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.callers import Caller
from accounts.doors import signed_in
from agents import wording
from agents.context import task_text
from agents.done import done_by
from agents.forms import GoalForm, MessageForm, ReasonForm, RunFilterForm, StartForm
from agents.kin import below, parent_of
from agents.listed_runs import listed
from agents.models import HostedAgent, Run, RunMessage
from agents.narrowings import asked_in, narrowed, words_of
from agents.run_filters import found_among
from agents.services.fork_run import may_fork
from agents.services.look_at import look_at
from agents.spending import spending_of_tree
from agents.stages import stages_of_run
from agents.states import MessageKind, StepKind, StepState
from agents.switchboard import halts_of
from agents.timeline import Timeline, WholeStep, read_step, read_timeline, whole_of
from agents.views.starting import offers, start, start_form, startable
from agents.waits import Wait, waits_of
from agents.withheld import NOTHING, cleared, withheld_from
from approvals.withholding import Withheld
from audit.clock import database_now
from audit.paging import BadCursor, page
from audit.prepared import Prepared, PreparedValues

RUNS_PER_PAGE: Final = 30
MOST_FORKS: Final = 5


@dataclass(frozen=True)
class RunRow:
    """One run in a list."""

    run: Run
    state: str
    tone: str
    waits: list[Wait]

    @property
    def tokens(self) -> int:
        return self.run.shown_tokens_in + self.run.shown_tokens_out


@dataclass(frozen=True)
class Chip:
    """A filter that holds beside those of the form, in words, and the list without it."""

    words: str
    url: str


def rows_of(runs: list[Run], caller: Caller) -> list[RunRow]:
    """The runs as lists show them. Three queries."""
    waits = waits_of(runs, caller)
    withheld = withheld_from(runs, caller)
    return [
        RunRow(
            cleared(run, withheld.get(run.pk, NOTHING)),
            _state(run, waits.get(run.pk, [])),
            wording.run_tone(run),
            waits.get(run.pk, []),
        )
        for run in runs
    ]


def _state(run: Run, waits: list[Wait]) -> str:
    return wording.run_state(
        run,
        only_in_line=bool(waits) and all(wait.line is not None for wait in waits),
        only_children=bool(waits) and all(wait.child is not None for wait in waits),
    )


@require_GET
@login_required
@vary_on_headers("HX-Request")
def run_list(request: HttpRequest) -> HttpResponse:
    """Runs that one may see, newest first; the rows alone for a page that looks again."""
    return _list_page(request)


@require_http_methods(["GET", "POST"])
@login_required
@permission_required("accounts.start_runs", raise_exception=True)
def run_start(request: HttpRequest) -> HttpResponse:
    """Start a run and go to it. The address itself leads back to the list, where the form is."""
    if request.method == "GET":
        return redirect("run-list")
    caller = signed_in(request)
    form = start_form(startable(_agents(caller)), data=request.POST, given={})
    started = start(form, caller) if form.is_valid() else None
    if started is None:
        return _list_page(request, form)
    run, new = started
    if not new:
        messages.info(request, gettext("This run was started before: the form was sent twice."))
    return redirect("run-detail", pk=run.pk)


def _list_page(request: HttpRequest, form: StartForm | None = None) -> HttpResponse:
    caller = signed_in(request)
    agents = _agents(caller)
    known = [(hosted.slug, hosted.title) for hosted in agents]
    filters = RunFilterForm(request.GET if form is None else {}, agents=known, auto_id="filter-%s")
    # Filters of figures: they stand in addresses that pages give, and are taken away one by one.
    asked = asked_in(request.GET) if form is None else {}
    given: dict[str, str] = {}
    runs: list[Run] = []
    next_cursor = None
    looked_through_since = None
    if filters.is_valid():
        given = {name: str(value) for name, value in filters.cleaned_data.items() if value} | asked
        fitting = narrowed(Run.objects.visible_for(caller), asked)
        found = found_among(fitting, filters.asked, caller)
        looked_through_since = found.looked_through_since
        try:
            shown = page(
                found.runs.only("created_at"),
                cursor=request.GET.get("cursor") if form is None else None,
                limit=RUNS_PER_PAGE,
                ordered=found.runs.ordered,
            )
        except BadCursor:
            messages.warning(
                request, gettext("That page is not there any more. This is the first one.")
            )
            return redirect(_list_url(given))
        runs, next_cursor = listed(shown.items), shown.next_cursor
    context: dict[str, Any] = {
        "rows": rows_of(runs, caller),
        "filters": filters,
        "given": given,
        "asked": asked,
        "chips": [
            Chip(words or name, _list_url({key: given[key] for key in given if key != name}))
            for name, words in words_of(asked).items()
        ],
        "looked_through_since": looked_through_since,
        "list_url": _list_url({**given, "cursor": request.GET.get("cursor", "")}),
        "next_url": _list_url({**given, "cursor": next_cursor}) if next_cursor else "",
        "first_url": _list_url(given) if request.GET.get("cursor") else "",
    }
    if request.headers.get("HX-Request") == "true":
        return render(request, "agents/_runs.html", context)
    if caller.holds("start_runs"):
        able = startable(agents)
        context |= {
            "may_start": True,
            "form": form or start_form(able, given=request.GET.dict()),
            "offers": offers(able),
            "able": able,
            "off": [hosted for hosted in agents if hosted not in able],
        }
    wrong = form is not None or not filters.is_valid()
    return render(request, "agents/run_list.html", context, status=422 if wrong else 200)


@require_GET
@login_required
def run_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One run: what it is about, how it stands, everything it did."""
    return render(request, "agents/run_detail.html", run_context(request, pk))


@require_GET
@login_required
def run_steps(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What of the run's page changes while it goes on: of its steps, the newest."""
    return render(request, "agents/_run.html", run_context(request, pk, tail=True))


_named = Prepared(
    lambda key: Run.objects.filter(pk=key).select_related(
        "agent__owner_group", "agent_version", "initiator", "taken_over_by"
    ),
    UUID(int=0),
)


def visible_run(caller: Caller, pk: UUID) -> Run:
    """The run with what its pages name; Http404 when the caller may not see it."""
    run = _named.one(pk)
    if run is None or not run.may_be_seen_by(caller):
        raise Http404(gettext("There is no such run, or you may not see it."))
    return run


def may_control(run: Run, caller: Caller) -> bool:
    """Whether the service would let the caller cancel, pause and resume the run."""
    owns = run.agent.owner_group_id in caller.own_group_ids
    return caller.holds("control_runs") or (owns and caller.holds("decide_requests"))


def run_context(
    request: HttpRequest,
    pk: UUID,
    *,
    tail: bool = False,
    refused: Mapping[str, Form] | None = None,
) -> dict[str, Any]:
    """What the run's page shows, of its steps the first and the newest and that of `?step=`, which is opened
    beside them; `tail`: the newest alone. `refused` are forms that were sent and not taken, by name."""
    caller = signed_in(request)
    run = visible_run(caller, pk)
    withheld = look_at(run, caller)
    cleared(run, withheld)
    now = database_now()
    at, opened = _seq(request.GET.get("at", "")), _seq(request.GET.get("step", ""))
    timeline = read_timeline(run, caller, now=now, at=at or opened, tail=tail)
    last = timeline.last
    waits = waits_of([run], caller).get(run.pk, [])
    halt = next(iter(halts_of([run]).get(run.pk, [])), None)
    return {
        "run": run,
        "timeline": timeline,
        "whole": _opened(run, opened, timeline, caller, now) if opened else None,
        "tree": spending_of_tree(run),
        "stages": stages_of_run(run),
        "state": _state(run, waits),
        "tone": wording.run_tone(run),
        "halt": halt,
        "held_whole": halt is not None and not halt.tool,
        "stands": withheld.text(wording.why_it_stands(run, last.step if last else None, now, halt)),
        "ready_later": run.state == "ready" and run.ready_at is not None and run.ready_at > now,
        "waits": waits,
        "parent": parent_of(run, caller, withheld),
        "below": below(run),
        "active_seconds": active_seconds(run, now),
        "waited_seconds": waited_seconds(run, now),
        "task": _task(run),
        "done": done_by([run], caller, {run.pk: withheld}).get(run.pk, []),
        "answer": _facts(run.output),
        "looked_at": _looked_at(timeline),
        "may_control": may_control(run, caller) and not run.ended,
        "may_undo": may_control(run, caller),
        "may_keep_case": run.ended
        and (caller.holds("start_runs") or run.agent.owner_group_id in caller.own_group_ids),
        "may_fork": may_fork(run, caller) and run.undoes_id is None,
        "origin": _origin(run, caller),
        "forks": _forks(run, caller),
        "may_read_audit": caller.holds("read_audit"),
        "unread": _unread(run, withheld),
        "hand_back": next((wait.request for wait in waits if wait.hands_back), None),
        "cancel_form": ReasonForm(auto_id="cancel-%s"),
        "pause_form": ReasonForm(auto_id="pause-%s"),
        "take_over_form": ReasonForm(auto_id="take-over-%s"),
        "message_form": MessageForm(auto_id="message-%s"),
        "goal_form": GoalForm(auto_id="goal-%s"),
        "steps_url": reverse("run-steps", args=[run.pk]) + (f"?step={opened}" if opened else ""),
        **(refused or {}),
    }


def _opened(run: Run, seq: int, timeline: Timeline, caller: Caller, now: Any) -> WholeStep | None:
    """The step that is opened beside the timeline, read anew only where that does not show it."""
    return whole_of(timeline, run, seq) or read_step(run, seq, caller, now=now)


def _origin(run: Run, caller: Caller) -> Run | None:
    """The run that this one is a fork of; None where there is none that the caller may see."""
    if run.forked_from_id is None:
        return None
    rows = Run.objects.visible_for(caller).select_related("agent", "agent_version")
    origin = rows.filter(pk=run.forked_from_id).first()
    return (
        cleared(origin, withheld_from([origin], caller).get(origin.pk, NOTHING)) if origin else None
    )


def _forks_of(key: UUID) -> QuerySet[Run, Any]:
    return Run.objects.filter(forked_from=key).values("pk")[:1]


_any_fork = PreparedValues(_forks_of, UUID(int=0))


def _forks(run: Run, caller: Caller) -> list[Run]:
    """The newest forks of the run that the caller may see."""
    # Hardly any run has one, and whom it shows itself to takes long to ask.
    if not _any_fork(run.pk):
        return []
    rows = Run.objects.visible_for(caller).filter(forked_from=run.pk)
    return list(rows.only("pk", "created_at").newest_first()[:MOST_FORKS])


def _looked_at(timeline: Timeline) -> str:
    """What a person said of the answer, where one was asked."""
    last = next((row for row in reversed(timeline.rows) if row.step.kind == StepKind.FINAL), None)
    return last.note if last is not None and last.step.state == StepState.SUCCEEDED else ""


def _unread(run: Run, withheld: Withheld) -> list[RunMessage]:
    found = (
        RunMessage.objects.filter(run=run, journalled_at__isnull=True)
        .exclude(kind=MessageKind.TAKE_OVER)
        .select_related("author")
        .order_by("sent_at", "id")
    )
    for message in found:
        message.text = withheld.text(message.text)
    return list(found)


def _seq(text: str) -> int | None:
    """The number of a step as an address gives it; None for anything else."""
    return int(text) or None if text.isascii() and text.isdigit() and len(text) < 10 else None


def waited_seconds(run: Run, now: Any) -> float:
    """How long it waited for people until now."""
    parked = (now - run.parked_at).total_seconds() if run.parked_at and not run.ended else 0.0
    return float(run.waited_seconds + parked)


def active_seconds(run: Run, now: Any) -> float | None:
    """How long it was under way without its waits; None before it began."""
    if run.started_at is None:
        return None
    whole = ((run.finished_at or now) - run.started_at).total_seconds()
    return max(0.0, float(whole - waited_seconds(run, now)))


def _task(run: Run) -> list[dict[str, Any]]:
    """The input, and the task of now; nothing where the page's title says all of it."""
    if run.goal:
        first = {"label": gettext("At first"), "value": task_text(run.input)}
        return (
            [first]
            if run.goal == run.title
            else [{"label": gettext("Now"), "value": run.goal}, first]
        )
    return [] if list(run.input.values()) == [run.title] else _facts(run.input)


def _facts(value: Any) -> list[dict[str, Any]]:
    """An object as labelled facts."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [{"label": wording.plain(name), "value": item} for name, item in value.items()]
    return [{"label": gettext("Value"), "value": value}]


def _agents(caller: Caller) -> list[HostedAgent]:
    rows = HostedAgent.objects.visible_to(caller.user).select_related("active_version")
    return list(rows.order_by("title", "slug"))


def _list_url(given: dict[str, Any]) -> str:
    query = urlencode({name: value for name, value in given.items() if value})
    return reverse("run-list") + (f"?{query}" if query else "")
