"""The list of hosted agents, and the page of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.callers import Caller
from accounts.doors import signed_in
from agents import registry, wording
from agents.bound import bind
from agents.decision_rates import decision_rates
from agents.definitions import Agent
from agents.forms import SwitchOffForm
from agents.limit_words import cap_facts, may_read_spent, spent_words
from agents.models import HostedAgent, ReportedModel, Run
from agents.models.run import RunQuerySet
from agents.services.operate_agent import activate_version, disable_agent, enable_agent
from agents.spending import spending_of_month
from agents.stages import stages_of
from agents.states import ENDED, OPEN, RunState
from agents.switchboard import Switchboard, agents_to_switch
from agents.tool_health import health_of
from agents.tool_words import ToolWords, tool_words
from agents.version_changes import changes_between
from agents.views.memories import may_read as may_read_memory
from agents.views.prices import may_read as may_read_prices
from agents.views.refusals import say
from agents.views.runs import rows_of
from agents.views.starting import offers, startable
from approvals.agent_policy import policy_of_agent
from approvals.tightening import ToolFacts
from approvals.vocabulary import Effect, Risk
from audit.clock import database_now
from audit.errors import Refusal
from audit.prepared import CountedTo

RECENT_RUNS: Final = 8
#: Stands among the counts by state for all states in which runs have ended.
ALL_ENDED: Final = "ended"
#: As lists are counted: people need no more.
MOST_COUNTED: Final = 1000
RECENT_NAMES: Final = 12


@dataclass(frozen=True)
class AgentRow:
    """One agent in the list; the counts are of runs that the reader may see. Where they do not see all of the
    agent's, `ended` is None, and the others are counted among the newest thousand that are open; `ended` is
    counted up to a thousand and one."""

    agent: HostedAgent
    category: str
    state: str
    tone: str
    at_work: int
    waiting: int
    ended: int | None


@require_GET
@login_required
def agent_list(request: HttpRequest) -> HttpResponse:
    """Every hosted agent that one may know of."""
    caller = signed_in(request)
    agents = list(_visible(caller).order_by("title", "slug"))
    counts = _counts(agents, caller)
    board = Switchboard.now()
    rows = [_row(hosted, counts.get(hosted.pk, Counter()), board) for hosted in agents]
    context = {
        "rows": rows,
        "may_see_switches": bool(agents_to_switch(caller.user)),
        "may_see_prices": may_read_prices(caller),
    }
    return render(request, "agents/agent_list.html", context)


@require_GET
@login_required
def agent_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One agent: who answers for it, what it may do, how it did."""
    return _detail_page(request, slug)


@require_http_methods(["GET", "POST"])
@login_required
def agent_disable(request: HttpRequest, slug: str) -> HttpResponse:
    """Switch the agent off; the reason is asked for. The address itself leads to the agent."""
    _find(signed_in(request), slug)
    if request.method == "GET":
        return redirect("agent-detail", slug=slug)
    form = SwitchOffForm(request.POST)
    if not form.is_valid():
        return _detail_page(request, slug, form)

    def disable(caller: Caller) -> str:
        disable_agent(slug=slug, reason=form.cleaned_data["reason"], caller=caller)
        return gettext("The agent is switched off. Nothing new starts, and nothing is dispatched.")

    return _do(request, slug, disable)


@require_POST
@login_required
def agent_enable(request: HttpRequest, slug: str) -> HttpResponse:
    """Switch the agent on again."""

    def enable(caller: Caller) -> str:
        enable_agent(slug=slug, caller=caller)
        return gettext("The agent is switched on. Runs that were held up go on in a moment.")

    return _do(request, slug, enable)


@require_POST
@login_required
def agent_activate(request: HttpRequest, slug: str) -> HttpResponse:
    """Let new runs use the version that the page showed as installed."""

    def activate(caller: Caller) -> str:
        activate_version(slug=slug, digest=request.POST.get("digest", ""), caller=caller)
        return gettext("The installed version is active. New runs use it.")

    return _do(request, slug, activate)


def _do(request: HttpRequest, slug: str, act: Callable[[Caller], str]) -> HttpResponse:
    caller = signed_in(request)
    _find(caller, slug)
    try:
        messages.success(request, act(caller))
    except Refusal as refusal:
        say(request, refusal)
    return redirect("agent-detail", slug=slug)


def _detail_page(
    request: HttpRequest, slug: str, form: SwitchOffForm | None = None
) -> HttpResponse:
    caller = signed_in(request)
    hosted = _find(caller, slug)
    declared = registry.find(slug)
    definition = _definition(hosted, declared)
    runs = Run.objects.visible_for(caller).newest_of(hosted.pk)
    recent = runs.select_related("agent", "agent_version", "initiator", "taken_over_by").defer(
        "input", "output"
    )
    board = Switchboard.now()
    may_operate = caller.holds("manage_agents") or hosted.owner_group_id in caller.own_group_ids
    active = hosted.active_version
    bound = bind(declared, active) if declared and active else declared
    # Of a million runs that takes no longer than of a thousand, whoever asks.
    newest = Run.objects.real().newest_of(hosted.pk).values("pk")[:MOST_COUNTED]
    looked_at = runs.filter(pk__in=newest).order_by()
    outcomes = _outcomes(looked_at)
    context: dict[str, Any] = {
        "agent": hosted,
        "row": _row(hosted, Counter(), board),
        "switch": board.own(hosted.pk),
        "halt": board.over_agent(hosted.pk),
        "tools_off": board.over_tools(hosted.pk),
        "category": wording.CATEGORIES.get(hosted.category, hosted.category),
        "people": list(hosted.owner_group.members.filter(is_active=True).order_by("username")),
        "definition": definition,
        "installed": declared.version if declared else "",
        "changes": _changes(hosted, declared),
        "stages": stages_of(definition),
        "tools": _tools(definition, declared),
        "budget": cap_facts(bound, hosted) if bound else [],
        "spent": spent_words(hosted, database_now()) if may_read_spent(caller) else [],
        "may_limit": declared is not None and caller.holds("manage_agents"),
        "most_counted": MOST_COUNTED,
        "counted_newest": sum(each["number"] for each in outcomes) == MOST_COUNTED,
        "recent": rows_of(list(recent[:RECENT_RUNS]), caller),
        "outcomes": outcomes,
        "rates": decision_rates(looked_at, database_now()),
        "policy": policy_of_agent(slug, _facts(hosted, definition), caller),
        "offers": offers([hosted]) if caller.holds("start_runs") and startable([hosted]) else [],
        "may_operate": may_operate,
        "reported": list(
            ReportedModel.objects.filter(agent=hosted).order_by("asked", "-pk")[:RECENT_NAMES]
        ),
        "may_see_prices": may_read_prices(caller),
        "month": spending_of_month(hosted, database_now())
        if may_operate or caller.holds("read_everything")
        else None,
        "may_read_memory": may_read_memory(hosted, caller),
        "form": form or SwitchOffForm(),
    }
    return render(request, "agents/agent_detail.html", context, status=422 if form else 200)


def _visible(caller: Caller) -> Any:
    return HostedAgent.objects.visible_to(caller.user).select_related(
        "owner_group", "active_version"
    )


def _find(caller: Caller, slug: str) -> HostedAgent:
    hosted: HostedAgent | None = _visible(caller).filter(slug=slug).first()
    if hosted is None:
        raise Http404(gettext("There is no such agent, or you may not see it."))
    return hosted


def _row(hosted: HostedAgent, counts: Counter[str], board: Switchboard) -> AgentRow:
    declared = registry.find(hosted.slug)
    active = hosted.active_version.digest if hosted.active_version else None
    if board.over_agent(hosted.pk) is not None:
        state, tone = gettext("Switched off"), "disabled"
    elif declared is None:
        state, tone = gettext("Not installed"), "failed"
    elif active != declared.version:
        state, tone = gettext("To be activated"), "waiting"
    else:
        state, tone = pgettext("agent", "On"), "published"
    waiting = counts[RunState.WAITING]
    return AgentRow(
        hosted,
        wording.CATEGORIES.get(hosted.category, hosted.category).partition(":")[0],
        state,
        tone,
        at_work=sum(number for name, number in counts.items() if name in OPEN) - waiting,
        waiting=waiting,
        ended=counts.get(ALL_ENDED),
    )


def _counts(agents: list[HostedAgent], caller: Caller) -> dict[int, Counter[str]]:
    """How many runs of each agent stand in each state, in three queries: of those that ended no more than people
    read, and only where the reader sees all of the agent's, since nobody looks through a million runs for the
    few that one may see."""
    counted: dict[int, Counter[str]] = {}
    whole = {each.pk for each in agents if _sees_all(each, caller)}
    parts = {each.pk for each in agents} - whole
    # Where all are seen none is looked at for whether it is.
    newest = _open(parts).newest_first().values("pk")[:MOST_COUNTED]
    seen = Run.objects.visible_for(caller).filter(pk__in=newest)
    for runs in (_open(whole), seen):
        for agent, state, number in runs.values_list("agent_id", "state").annotate(n=Count("pk")):
            counted.setdefault(agent, Counter())[state] += number
    # In an order whose index is walked: told to count alone PostgreSQL looks through all runs for those of an agent.
    ended = Run.objects.real().filter(state__in=ENDED).newest_of(OuterRef("pk"))
    asked = HostedAgent.objects.filter(pk__in=whole)
    for agent, number in asked.values_list("pk", CountedTo(ended, MOST_COUNTED + 1, in_order=True)):
        counted.setdefault(agent, Counter())[ALL_ENDED] = number
    return counted


def _open(agents: Collection[int]) -> RunQuerySet:
    return Run.objects.real().filter(agent__in=agents, state__in=OPEN)


def _sees_all(hosted: HostedAgent, caller: Caller) -> bool:
    """Whether the reader sees every run of the agent."""
    everything = caller.holds("read_everything") or caller.holds("start_runs")
    return everything or hosted.owner_group_id in caller.group_ids


def _outcomes(runs: Any) -> list[dict[str, Any]]:
    """How these runs ended, and how many have not, most frequent first."""
    counted = Counter[str]()
    for state, outcome, number in runs.values_list("state", "outcome").annotate(n=Count("pk")):
        counted[wording.OUTCOMES.get(outcome, wording.RUN_STATES[RunState(state)])] += number
    total = sum(counted.values())
    return [
        {"label": label, "number": number, "share": number / total}
        for label, number in counted.most_common()
    ]


def _tools(definition: dict[str, Any], declared: Agent | None) -> list[ToolWords]:
    installed = {tool.name: tool for tool in declared.tools} if declared else {}
    health = health_of(installed.values(), database_now())
    return [
        tool_words(
            tool,
            health.get(tool["name"]),
            installed[tool["name"]].rate if tool["name"] in installed else None,
        )
        for tool in definition.get("tools", ())
    ]


def _facts(hosted: HostedAgent, definition: dict[str, Any]) -> list[ToolFacts]:
    """What the gate knows of each tool before it is called."""
    return [
        ToolFacts(
            agent=hosted.slug,
            tool=tool["name"],
            risk=Risk(tool["risk"]),
            effects=frozenset(Effect(effect) for effect in tool["effects"]),
            reversible=bool(tool["reversible"]),
            owner_group=hosted.owner_group.slug,
            title=wording.plain(tool["name"]),
        )
        for tool in definition.get("tools", ())
    ]


def _definition(hosted: HostedAgent, declared: Agent | None) -> dict[str, Any]:
    """What new runs would use; where nothing is active, what is installed."""
    if hosted.active_version is not None:
        recorded: dict[str, Any] = hosted.active_version.definition
        return recorded
    return declared.definition if declared else {}


def _changes(hosted: HostedAgent, declared: Agent | None) -> list[str] | None:
    """What activating the installed version would change; None when there is nothing to activate."""
    if declared is None:
        return None
    if hosted.active_version is None:
        return [gettext("It has never been active.")]
    if hosted.active_version.digest == declared.version:
        return None
    return changes_between(hosted.active_version.definition, declared.definition)
