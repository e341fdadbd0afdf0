"""Forking a run: from which step, with which model, words and version."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts.doors import signed_in
from agents import registry
from agents.fork_points import ForkPoint, fork_points, usual_point
from agents.forms import ForkForm
from agents.models import AgentVersion, Run, Step
from agents.services.fork_run import Wish, fork_run, may_fork
from agents.services.look_at import look_at
from agents.simulation_errors import ForkHidden, ForkInvalid
from agents.templatetags.run_words import short_digest
from agents.views.refusals import say
from agents.views.runs import visible_run
from agents.withheld import cleared
from agents.wording import step_title
from audit import spellings
from audit.canonical import canonical_bytes, sha256_hex
from audit.errors import Refusal

MOST_VERSIONS = 20
MOST_POINTS = 400


@require_http_methods(["GET", "POST"])
@login_required
def run_fork(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The form, with `?step=` chosen; sent, it starts the fork and leads to it."""
    caller = signed_in(request)
    run = visible_run(caller, pk)
    if not may_fork(run, caller):
        raise PermissionDenied(gettext("You may not start runs of this agent."))
    form = _form(run, request)
    if request.method == "POST" and form.is_valid():
        try:
            wish = _wish(form, run)
            fork, _ = fork_run(run_id=pk, wish=wish, caller=caller, idempotency_key=_key(form, run))
        except ForkInvalid as refusal:
            form.add_error(str(refusal.params["field"]), refusal.detail)
        except ForkHidden as refusal:
            form.add_error(None, refusal.detail)
        except Refusal as refusal:
            say(request, refusal)
            return redirect("run-fork", pk=pk)
        else:
            messages.success(
                request, gettext("The fork has begun. It reaches no tool and asks nobody.")
            )
            return redirect("run-detail", pk=fork.pk)
    context = {"run": cleared(run, look_at(run, caller)), "form": form}
    return render(request, "agents/run_fork.html", context, status=422 if form.errors else 200)


def _form(run: Run, request: HttpRequest) -> ForkForm:
    steps = Step.objects.filter(run=run).defer("response", "output", "judgement").in_order()
    points = fork_points(list(steps))[-MOST_POINTS:]
    asked = request.GET.get("step", "")
    chosen = next((each for each in points if str(each.step) == asked), usual_point(points))
    return ForkForm(
        request.POST if request.method == "POST" else None,
        initial={
            "step": chosen.step,
            "version": run.agent_version.digest,
            "instructions": str(run.agent_version.definition["instructions"]).strip(),
        },
        steps=[(each.step, _words(each)) for each in reversed(points)],
        versions=_versions(run),
    )


def _words(point: ForkPoint) -> str:
    """What the fork keeps, and what comes next in the run."""
    kept = (
        gettext("Nothing: from the beginning")
        if not point.step
        else gettext("Steps 1 to {seq}").format(seq=point.step)
    )
    if point.following is None:
        return kept
    then = gettext("step {seq} anew: {what}").format(
        seq=point.following.seq, what=step_title(point.following)
    )
    return f"{kept}; {then}"


def _versions(run: Run) -> list[tuple[str, str]]:
    """The run's own version, the installed one, and those that were seen last."""
    own = run.agent_version
    installed = registry.find(run.agent.slug)
    digest = installed.version if installed else ""
    seen = AgentVersion.objects.declared().filter(slug=run.agent.slug).order_by("-first_seen_at")
    found = {own.digest: gettext("As in the run: {name}").format(name=_named(own))}
    for version in seen[:MOST_VERSIONS]:
        name = _named(version)
        words = gettext("Installed: {name}").format(name=name) if version.digest == digest else name
        found.setdefault(version.digest, words)
    return list(found.items())


def _named(version: AgentVersion) -> str:
    """A version by its digest and the day it was first seen: a digest alone tells nobody which one is meant."""
    return f"{short_digest(version.digest)} ({spellings.day(timezone.localtime(version.first_seen_at))})"


def _wish(form: ForkForm, run: Run) -> Wish:
    """What the form asks for: what was left as it stood is not asked for."""
    given = form.cleaned_data
    shown = str(run.agent_version.definition["instructions"]).strip()
    words = given["instructions"].replace("\r\n", "\n").strip()
    own = run.agent_version.digest
    return Wish(
        step=given["step"],
        version=None if given["version"] == own else given["version"],
        model=given["model"] or None,
        instructions=None if words in ("", shown) else words,
    )


def _key(form: ForkForm, run: Run) -> str | None:
    """A key of this form with this content: sent twice it starts one fork, changed it starts another."""
    given: dict[str, Any] = form.cleaned_data
    if not given["key"]:
        return None
    return f"fork-{sha256_hex(canonical_bytes([str(run.pk), dict(given)]))}"
