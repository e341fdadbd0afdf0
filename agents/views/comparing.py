"""Two runs side by side, and the choice of the second one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from accounts.callers import Caller
from accounts.doors import signed_in
from agents import wording
from agents.context import task_text
from agents.models import Run
from agents.run_differences import pairs_of
from agents.services.look_at import look_at
from agents.templatetags.run_words import cost, short_digest, span, thousands
from agents.timeline import read_beginning
from agents.views.runs import RunRow, active_seconds, rows_of, visible_run, waited_seconds
from agents.withheld import cleared
from audit.clock import database_now
from audit.spellings import whole_moment

#: Of each run: comparing takes time with the square of it.
MOST_STEPS: Final = 400
MOST_OFFERED: Final = 20
BOTH: Final = 2
LONGEST_ANSWER: Final = 2_000


@dataclass(frozen=True)
class Fact:
    """One thing about both runs; `url` leads to more about the difference. `measured`: it is never the same."""

    label: str
    one: str
    other: str
    url: str = ""
    measured: bool = False

    @property
    def differs(self) -> bool:
        """Whether it is not the same, and that says something."""
        return self.one != self.other and not self.measured


@dataclass(frozen=True)
class Side:
    """One of the two runs: the row of a list, and how far its steps were read."""

    row: RunRow
    steps: int

    @property
    def cut(self) -> bool:
        """Whether it has more steps than were compared."""
        return self.steps > MOST_STEPS


@require_GET
@login_required
def run_compare(request: HttpRequest) -> HttpResponse:
    """The runs of `?run=` twice; the choice of the second where one is named, and the list where none is."""
    caller = signed_in(request)
    asked = list(dict.fromkeys(request.GET.getlist("run")))
    if not asked:
        return redirect("run-list")
    runs = [_run(caller, pk) for pk in asked[:BOTH]]
    if len(asked) == len(runs) == BOTH:
        return _side_by_side(request, caller, *runs)
    return _choice(request, caller, runs[0], too_many=len(asked) > len(runs))


def _run(caller: Caller, pk: str) -> Run:
    try:
        run = visible_run(caller, UUID(pk))
    except ValueError as error:
        raise Http404(gettext("There is no such run, or you may not see it.")) from error
    return cleared(run, look_at(run, caller))


def _choice(request: HttpRequest, caller: Caller, run: Run, *, too_many: bool) -> HttpResponse:
    """What the run may be compared with: the run above it, and the newest ones of its agent."""
    named = ("agent", "agent_version", "initiator", "taken_over_by")
    visible = Run.objects.visible_for(caller).select_related(*named).defer("input", "output")
    near = list(visible.filter(pk=run.parent_id)) if run.parent_id else []
    found = visible.newest_of(run.agent_id).exclude(pk__in=[run.pk, *(one.pk for one in near)])
    others = rows_of([*near, *found[:MOST_OFFERED]], caller)
    offered = [{"row": row, "why": _why(run, row.run)} for row in others]
    context = {
        "run": run,
        "others": offered,
        "any_why": any(each["why"] for each in offered),
        "too_many": too_many,
    }
    return render(request, "agents/run_compare_choice.html", context)


def _why(run: Run, other: Run) -> str:
    """What makes the other run one to compare with."""
    if other.pk == run.parent_id:
        return gettext("It handed this one over")
    return gettext("The same task") if other.input_digest == run.input_digest else ""


def _side_by_side(request: HttpRequest, caller: Caller, one: Run, other: Run) -> HttpResponse:
    now = database_now()
    rows = [read_beginning(run, MOST_STEPS, caller, now=now) for run in (one, other)]
    pairs = pairs_of(*rows)
    parted = next((pair for pair in pairs if not pair.same), None)
    only = request.GET.get("only") == "differences"
    listed = rows_of([one, other], caller)
    here = f"{request.path}?run={one.pk}&run="
    context = {
        "one": Side(listed[0], one.step_count),
        "other": Side(listed[1], other.step_count),
        "facts": list(_facts(one, other, listed, now)),
        "pairs": [pair for pair in pairs if not (only and pair.same)],
        "parted": parted,
        "same": sum(pair.same for pair in pairs),
        "all": len(pairs),
        "only": only,
        "most": MOST_STEPS,
        "whole_url": f"{here}{other.pk}",
        "only_url": f"{here}{other.pk}&only=differences",
        "swap_url": f"{request.path}?run={other.pk}&run={one.pk}",
    }
    return render(request, "agents/run_compare.html", context)


def _facts(one: Run, other: Run, rows: list[RunRow], now: Any) -> Iterator[Fact]:
    """What there is to know of both but for their steps."""

    def fact(label: str, of: Callable[[Run], str], url: str = "", measured: bool = False) -> Fact:
        return Fact(label, of(one), of(other), url, measured)

    yield fact(gettext("Agent"), lambda run: run.agent.title)
    yield fact(
        gettext("Version"),
        lambda run: short_digest(run.agent_version.digest),
        _versions(one, other),
    )
    yield fact(gettext("Task"), lambda run: run.goal or task_text(run.input))
    yield fact(gettext("Started by"), lambda run: str(run.initiator))
    yield fact(
        gettext("Started"), lambda run: whole_moment(localtime(run.created_at)), measured=True
    )
    yield Fact(gettext("State"), rows[0].state, rows[1].state)
    yield fact(gettext("Answer"), _answer)
    yield fact(gettext("Active"), lambda run: span(active_seconds(run, now)), measured=True)
    yield fact(gettext("Waited"), lambda run: span(waited_seconds(run, now)), measured=True)
    yield fact(gettext("Steps counted"), lambda run: thousands(run.step_count))
    yield fact(gettext("Model calls"), lambda run: thousands(run.model_calls))
    yield fact(gettext("Tool calls"), lambda run: thousands(run.tool_calls))
    yield Fact(
        gettext("Tokens"), thousands(rows[0].tokens), thousands(rows[1].tokens), measured=True
    )
    yield fact(gettext("Cost"), _cost, measured=True)


def _cost(run: Run) -> str:
    # It stands among what agents wrote, where a space that does not break is shown as what it is.
    return cost(run.shown_cost_micros, run.unpriced_calls).replace("\xa0", " ")


def _versions(one: Run, other: Run) -> str:
    """Where the versions of one agent are compared; empty where there is nothing to compare."""
    if one.agent_id != other.agent_id or one.agent_version_id == other.agent_version_id:
        return ""
    page = reverse("agent-version", args=[one.agent.slug, other.agent_version.digest])
    return f"{page}?against={one.agent_version.digest}"


def _answer(run: Run) -> str:
    """What the run came to in its own words, or why there is nothing."""
    said = "\n".join(
        f"{wording.plain(name)}: {wording.brief(value, LONGEST_ANSWER)}"
        for name, value in (run.output or {}).items()
        if value is not None
    )
    return said or str((run.failure or {}).get("message") or "")
