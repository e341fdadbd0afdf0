"""Take a run up: claim it and, where it is plain what comes next, commit to that as well.

An approved call: the intent to make it, which is all that stands between an approval and its effect. A new
run: its first model call. Where anything is out of the ordinary the run is only claimed, and the ordinary
way, which asks one thing after the other, finds out what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction
from pydantic import ValidationError

from agents import registry
from agents.bound import bind
from agents.caps import reached_cap
from agents.definitions import Agent
from agents.drift import describe_drift, stale_calls
from agents.events import announce
from agents.holding import is_held
from agents.journal import ACTIONS, CALL_KINDS, Journal
from agents.judged import needs_person
from agents.models import EffectRecord, Run, Step
from agents.services.begin_next import Begun, begin_next
from agents.services.claim import Claimed, Lease, claim
from agents.services.dispatch import note_intent
from agents.states import StepKind, StepState
from agents.tool_health import is_troubled
from agents.tools import Tool
from approvals.digests import action_digest
from approvals.services.consume import consume_plainly
from audit.clock import one_moment
from audit.fault_points import reached
from audit.keyring import at_hand

log = structlog.get_logger(__name__)

MOST_STALLED_CLAIMS = 5


@dataclass(frozen=True)
class Intended:
    """An approved call whose approval is spent and whose intent is committed: it is to be sent now."""

    run: Run
    agent: Agent
    journal: Journal
    step: Step
    tool: Tool
    effect: EffectRecord


@dataclass(frozen=True)
class TakenUp:
    """A claimed run as it stood then, and what it is to do now, if that is known already."""

    lease: Lease
    run: Run
    next: Intended | Begun | None


def take_up(run_id: UUID, *, owner: str) -> TakenUp | None:
    """Claim the run; None when it is not to be had."""
    try:
        with transaction.atomic(), at_hand():
            claimed = claim(run_id, owner=owner)
            if claimed is None:
                return None
            reached("run.claiming")
            with one_moment(claimed.at):
                return TakenUp(claimed.lease, claimed.run, _next(claimed))
    except DatabaseError:
        raise
    # Foreign code may fail here, such as what checks a tool's arguments. The claim must stand all the same:
    # only claims are counted, and a run that gets nowhere is shown to a person by their number.
    except Exception:
        log.exception("take_up_failed", run=str(run_id))
    claimed = claim(run_id, owner=owner)
    return TakenUp(claimed.lease, claimed.run, None) if claimed else None


def _next(claimed: Claimed) -> Intended | Begun | None:
    run = claimed.run
    if run.stalled_claims > MOST_STALLED_CLAIMS or is_held(run):
        return None
    if run.cancel_requested_at is not None or run.unheard:
        return None
    journal = Journal.of(run.pk)
    agent = agent_of(run, journal)
    if agent is None:
        return None
    if not journal.steps:
        begun = begin_next(run, agent, journal)
        if begun is not None:
            announce(run, "stepped", version=run.version)
        return begun
    if reached_cap(agent, run, journal) is not None:
        return None
    return _intended(claimed, agent, journal)


def _intended(claimed: Claimed, agent: Agent, journal: Journal) -> Intended | None:
    run = claimed.run
    step = approved_next(journal, claimed.at)
    tool = agent.tool(step.name) if step else None
    if step is None or tool is None or is_held(run, tool.name):
        return None
    if tool.name in agent.built_in:
        return None
    revision, digest = (
        int((step.resolution or {})["revision"]),
        str((step.resolution or {})["digest"]),
    )
    if is_troubled(run, tool) or not _is_plain(step, tool, digest) or step.approval_id is None:
        return None
    if not consume_plainly(
        request_id=step.approval_id,
        revision=revision,
        digest=digest,
        # The claim read that with the run, and holds off whoever would set a switch.
        stopped=is_held(run, tool.name),
    ):
        return None
    effect = note_intent(run, step, tool, revision, digest)
    announce(run, "dispatched", version=run.version)
    reached("intent.before_commit")
    return Intended(run, agent, journal, step, tool, effect)


def agent_of(run: Run, journal: Journal) -> Agent | None:
    """The agent that the run can be advanced with as it stands; None where something comes before that."""
    installed = registry.find(run.agent.slug)
    if installed is None or describe_drift(installed, run, journal) is not None:
        return None
    agent = bind(installed, run.agent_version)
    return None if stale_calls(agent, installed, journal) else agent


def approved_next(journal: Journal, at: datetime) -> Step | None:
    """The approved call that comes next, if nothing else comes before it."""
    for step in journal.unsettled:
        if step.kind not in CALL_KINDS or step.state == StepState.DISPATCHED:
            return None
        if step.state == StepState.PROPOSED and step.kind in ACTIONS and not needs_person(step):
            return None
    for step in journal.unsettled:
        if step.state == StepState.WAITING and is_ready(step, at):
            approved = step.kind == StepKind.TOOL and (step.resolution or {})["kind"] == "approved"
            return step if approved else None
    return None


def is_ready(step: Step, now: datetime) -> bool:
    """Whether the step's request resolved and its undo time is over."""
    if step.resolution is None:
        return False
    at = step.resolution.get("ready_at")
    return at is None or datetime.fromisoformat(at) <= now


def _is_plain(step: Step, tool: Tool, digest: str) -> bool:
    """Whether nothing outside has to be asked first, and the tool takes exactly what was approved."""
    if step.state_token or tool.lock_namer is not None or tool.rate is not None:
        return False
    if step.undoes_id is not None:
        return False
    if action_digest(tool.name, tool.version, step.arguments or {}) != digest:
        return False
    try:
        tool.parse(step.arguments or {})
    except ValidationError:
        return False
    return True
