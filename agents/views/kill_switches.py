"""The page of kill switches: what is on, what that holds back, setting and lifting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.errors import SwitchedOffAlready, SwitchInvalid, SwitchLifted
from agents.forms import LiftForm, SwitchForm, Target, targets_of
from agents.kill_switches import KillSwitch
from agents.models import HostedAgent
from agents.services.lift_switch import lift_switch
from agents.services.set_switch import known_tools, set_switch
from agents.switchboard import (
    HeldBack,
    agents_to_switch,
    global_switch,
    held_back,
    may_switch,
)
from agents.views.refusals import say
from audit.errors import Refusal

LIFTED_SHOWN: Final = 20


@dataclass(frozen=True)
class SwitchRow:
    """One switch with what it holds back while it is on."""

    switch: KillSwitch
    held: HeldBack | None
    may_lift: bool


@require_GET
@login_required
@vary_on_headers("HX-Request")
def switch_list(request: HttpRequest) -> HttpResponse:
    """What is switched off, and the last ones that were lifted; the lists alone for a page that looks again."""
    caller = _reader(request)
    fragment = request.headers.get("HX-Request") == "true"
    template = "agents/_kill_switches.html" if fragment else "agents/kill_switches.html"
    return render(request, template, _context(caller))


@require_http_methods(["GET", "POST"])
@login_required
def switch_set(request: HttpRequest) -> HttpResponse:
    """Set one; the form asks what, why, and whether one is sure."""
    caller = _reader(request)
    targets = _targets(caller, agents_to_switch(caller.user))
    if not targets:
        raise PermissionDenied(
            gettext("Those who manage agents set kill switches, or an agent's owner group.")
        )
    given = {"target": request.GET.get("target", "")}
    form = SwitchForm(
        request.POST if request.method == "POST" else None, targets=targets, initial=given
    )
    if request.method == "POST" and form.is_valid():
        target = form.chosen
        try:
            switch = set_switch(
                scope=target.scope,
                agent=target.agent,
                tool=target.tool,
                reason=form.cleaned_data["reason"],
                caller=caller,
            )
        except SwitchInvalid as refusal:
            form.add_error(
                "reason" if refusal.params["field"] == "reason" else "target", refusal.detail
            )
        except SwitchedOffAlready as refusal:
            form.add_error("target", refusal.detail)
        except Refusal as refusal:
            say(request, refusal)
            return redirect("kill-switches")
        else:
            messages.success(
                request,
                gettext("The switch is set: {target}. Nothing it holds goes out.").format(
                    target=switch.target
                ),
            )
            return redirect("kill-switches")
    return render(request, "agents/kill_switch_set.html", {"form": form}, status=_status(form))


@require_http_methods(["GET", "POST"])
@login_required
def switch_lift(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Lift one; the page says what goes on then, and asks why."""
    caller = signed_in(request)
    rows = KillSwitch.objects.visible_to(caller.user).select_related("agent", "set_by", "lifted_by")
    switch = rows.filter(pk=pk).first()
    if switch is None:
        raise Http404(gettext("There is no such kill switch, or you may not see it."))
    if not _may_lift(switch, caller):
        raise PermissionDenied(
            gettext("Those who manage agents lift it, or the agent's owner group.")
        )
    form = LiftForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            lift_switch(switch_id=pk, reason=form.cleaned_data["reason"], caller=caller)
        except SwitchInvalid as refusal:
            form.add_error("reason", refusal.detail)
        except Refusal as refusal:
            say(request, refusal)
            return redirect("kill-switches")
        else:
            messages.success(
                request,
                gettext("The switch is lifted: {target}. What it held goes on.").format(
                    target=switch.target
                ),
            )
            return redirect("kill-switches")
    if not switch.is_on and request.method == "GET":
        assert switch.lifted_at is not None, gettext("it is not on")
        who = str(switch.lifted_by) if switch.lifted_by else gettext("The system")
        say(request, SwitchLifted(who, switch.lifted_at.isoformat()))
        return redirect("kill-switches")
    held = held_back([switch], caller.user).get(switch.pk)
    context = {"form": form, "switch": switch, "held": held}
    return render(request, "agents/kill_switch_lift.html", context, status=_status(form))


@require_GET
@login_required
def switch_banner(request: HttpRequest) -> HttpResponse:
    """The banner of every page, for one that heard of a switch."""
    return render(request, "agents/_switch_banner.html", {"everything_off": global_switch()})


def _reader(request: HttpRequest) -> Caller:
    """Who asks, if the page is theirs: they manage agents, read everything, or own an agent."""
    caller = signed_in(request)
    reads = caller.holds("manage_agents") or caller.holds("read_everything")
    if not reads and not agents_to_switch(caller.user):
        raise PermissionDenied(
            gettext("Admins see kill switches, and the owner groups of agents theirs.")
        )
    return caller


def _context(caller: Caller) -> dict[str, object]:
    rows = KillSwitch.objects.visible_to(caller.user).select_related("agent", "set_by", "lifted_by")
    active = list(rows.active().order_by("set_at", "id"))
    held = held_back(active, caller.user)
    own = [hosted.pk for hosted in agents_to_switch(caller.user)]
    return {
        "active": [
            SwitchRow(each, held.get(each.pk), may_switch(each, caller.user, own))
            for each in active
        ],
        "lifted": list(rows.filter(lifted_at__isnull=False).order_by("-lifted_at")[:LIFTED_SHOWN]),
        "may_set": caller.holds("manage_agents") or bool(own),
    }


def _may_lift(switch: KillSwitch, caller: Caller) -> bool:
    own = [hosted.pk for hosted in agents_to_switch(caller.user)]
    return may_switch(switch, caller.user, own)


def _targets(caller: Caller, agents: Sequence[HostedAgent]) -> list[Target]:
    return targets_of(agents, known_tools(), everything=caller.holds("manage_agents"))


def _status(form: object) -> int:
    return 422 if getattr(form, "errors", None) else 200
