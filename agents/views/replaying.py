"""The replay of a run: what would be sent and decided today, beside what was."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from accounts.doors import signed_in
from agents.models import Run
from agents.replay import replay_for, usual_for
from agents.replayed import Against, Result
from agents.services.look_at import look_at
from agents.views.runs import visible_run
from agents.withheld import cleared

MOST_STEPS = 50


@require_GET
@login_required
def run_replay(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The first steps, or those after `?after=`, with the agent as `?version=` says."""
    caller = signed_in(request)
    run = visible_run(caller, pk)
    withheld = look_at(run, caller)
    asked = request.GET.get("version", "")
    after = request.GET.get("after", "0")
    if asked not in {"", *Against} or not (after.isascii() and after.isdigit() and len(after) < 10):
        raise Http404(gettext("There is no such replay."))
    against = Against(asked) if asked else usual_for(run)
    found = replay_for(run, caller, against=against, after=int(after), most=MOST_STEPS)
    here = reverse("run-replay", args=[run.pk])
    context = {
        # What a page shows of the run; the replay was made from the run as it is.
        "run": cleared(run, withheld),
        "replay": found,
        "same": found.count(Result.SAME),
        "differs": found.count(Result.DIFFERS),
        "cannot": found.count(Result.CANNOT),
        "installed": against is Against.INSTALLED,
        "other_url": f"{here}?version={_other(against)}",
        "next_url": f"{here}?version={against}&after={found.after}" if found.after else "",
        "is_first": after == "0",
        "version_url": _version_url(run, found.installed),
    }
    return render(request, "agents/run_replay.html", context)


def _other(against: Against) -> Against:
    return Against.RECORDED if against is Against.INSTALLED else Against.INSTALLED


def _version_url(run: Run, installed: str) -> str:
    """Where the run's version is compared with the installed one; empty where they are one."""
    if not installed or installed == run.agent_version.digest:
        return ""
    page = reverse("agent-version", args=[run.agent.slug, installed])
    return f"{page}?against={run.agent_version.digest}"
