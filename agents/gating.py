"""Putting a proposed call before the gate: what the gate needs to know, and its word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from agents import spans
from agents.definitions import Agent
from agents.foreign_errors import told_of
from agents.kill_switches import KillSwitch
from agents.models import EffectRecord, Run
from agents.simulation_errors import InEarnest
from agents.storable import storable
from agents.tool_secrets import secrets_of
from agents.tool_threads import bounded
from agents.tools import Tool, ToolContext, Undone, plain_preview
from approvals.digests import action_digest
from approvals.schemas import GateContext, Preview, ProposedAction
from audit.statements import rows

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Subject:
    """The agent and run that a call belongs to, as the gate and the inbox name them."""

    agent: Agent
    run: Run

    def context_for(
        self,
        tool: Tool,
        key: str,
        now: datetime,
        undoes: EffectRecord | None = None,
        state_token: str = "",
    ) -> ToolContext:
        """What the tool's preview, state token or body is told; `undoes`: what the call takes back,
        `state_token`: the world that it was approved in. Raises InEarnest: none of a tool's code that is told
        anything, nor any secret, is reached by a simulated run."""
        if self.run.simulated:
            raise InEarnest("reach a tool")
        return ToolContext(
            run_id=self.run.pk,
            agent=self.agent.slug,
            initiator=self.run.initiator.username,
            idempotency_key=key,
            now=now,
            secrets=secrets_of(tool),
            undoes=Undone(undoes.result, undoes.idempotency_key) if undoes else None,
            state_token=state_token,
        )


def propose(
    agent: Agent, agent_version: str, tool: Tool, arguments: dict[str, object]
) -> ProposedAction:
    """The action that the gate judges, for normalised arguments."""
    return ProposedAction(
        agent=agent.slug,
        agent_version=agent_version,
        agent_title=agent.title,
        owner_group=agent.owner,
        tool=tool.name,
        tool_version=tool.version,
        arguments=arguments,
        digest=action_digest(tool.name, tool.version, arguments),
        risk=tool.risk,
        effects=tool.effects,
        reversible=tool.reversible,
        argument_schema=tool.schema(),
        identity={name: arguments.get(name) for name in sorted(tool.identity)},
    )


# Only calls know the version that made them; those of simulated runs do not. When a call was proposed does not
# matter: it may have waited for people, a lock or a switch, and is sent now.
_CALLED = """
FROM agents_agentversion AS version JOIN agents_step AS step ON step.agent_version_id = version.id
WHERE version.slug = %s AND NOT version.variant AND step.name = %s AND step.state IN ('succeeded', 'dispatched')
"""
_OF_THE_HOUR = f"""
((SELECT count(*) {_CALLED} AND step.finished_at >= %s)
 + (SELECT count(*) {_CALLED} AND step.finished_at IS NULL AND greatest(step.started_at, (
        SELECT max(effect.dispatched_at) FROM agents_effect AS effect WHERE effect.step_id = step.id)) >= %s))
"""  # noqa: S608
_CALLS = f"""
SELECT EXISTS (
    SELECT FROM agents_step AS step
     WHERE step.agent_version_id = %s AND step.name = %s AND step.state IN ('succeeded', 'dispatched')),
  {_OF_THE_HOUR},
  (SELECT switch.id FROM agents_killswitch AS switch
    WHERE switch.lifted_at IS NULL AND switch.tool IN ('', %s)
      AND (switch.agent_id IS NULL OR switch.agent_id = %s)
    ORDER BY switch.set_at LIMIT 1)
"""  # noqa: S608


def gate_context(
    run: Run, agent: Agent, tool: Tool, earlier: Sequence[str], now: datetime
) -> GateContext:
    """The facts beside the action itself, in one small indexed query."""
    of_the_hour = [agent.slug, tool.name, now - timedelta(hours=1)]
    given = [
        *(run.agent_version_id, tool.name),
        *(*of_the_hour, *of_the_hour),
        *(tool.name, run.agent_id),
    ]
    [(used_before, calls_last_hour, switch)] = rows(_CALLS, given)
    return GateContext(
        at=now,
        tainted=run.tainted,
        tainted_by=tuple(run.tainted_by),
        first_use=not used_before,
        calls_last_hour=calls_last_hour,
        budget_used_bp=min(10_000, run.step_count * 10_000 // max(1, agent.budget.steps)),
        initiator=run.initiator_id,
        earlier=tuple(earlier),
        stopped=_why_stopped(switch) if switch else None,
    )


def calls_last_hour(action: ProposedAction, now: datetime) -> int:
    """How often the agent called the tool by now, in the hour before."""
    given = [action.agent, action.tool, now - timedelta(hours=1)]
    [(calls,)] = rows(f"SELECT {_OF_THE_HOUR}", [*given, *given])
    return int(calls)


def _why_stopped(switch: UUID) -> str:
    return KillSwitch.objects.select_related("agent").get(pk=switch).sentence


def preview_of(
    subject: Subject,
    tool: Tool,
    arguments: dict[str, object],
    now: datetime,
    undoes: EffectRecord | None = None,
) -> Preview:
    """The preview of a call of a run; `undoes`: what it takes back."""
    return preview_in(subject.context_for(tool, "preview", now, undoes), tool, arguments)


def preview_in(context: ToolContext, tool: Tool, arguments: dict[str, object]) -> Preview:
    """The tool's preview; one that fails is said in the request instead of hiding the call."""
    try:
        with spans.tool_span(tool.name, "preview"):
            shown = bounded(tool, tool.show, context, tool.parse(arguments))
        return Preview.model_validate(storable(shown.model_dump(mode="json")))
    # Foreign code; whatever it raises, the reviewer still gets the exact arguments.
    except Exception as error:
        log.warning(
            "preview_failed",
            tool=tool.name,
            run=str(context.run_id),
            exc_info=told_of(tool, error),
        )
        plain = plain_preview(tool, arguments)
        warning = f"The preview could not be made ({type(error).__name__}). Judge by the arguments."
        return plain.model_copy(update={"warnings": (warning,)})


def read_token(subject: Subject, tool: Tool, arguments: dict[str, object], now: datetime) -> str:
    """The state token of the world that a call would change; empty for a tool without one.

    A token that cannot be read differs from every other: what cannot be compared goes to review.
    """
    if tool.token_reader is None:
        return ""
    try:
        context = subject.context_for(tool, "state-token", now)
        with spans.tool_span(tool.name, "state_token"):
            token = bounded(tool, tool.token_reader, context, tool.parse(arguments))
        return str(storable(str(token)))
    # Foreign code; an approval must not slip through because its world could not be read.
    except Exception as error:
        log.warning("state_token_failed", tool=tool.name, exc_info=told_of(tool, error))
        return f"unreadable at {now.isoformat()} ({type(error).__name__})"


def effect_key(approval: UUID | None, revision: int | None, step: UUID) -> str:
    """The idempotency key of one effect: stable over crashes, new for a new approval."""
    if approval is not None:
        return f"cs-{approval}-{revision}"
    return f"cs-{step}"
