"""Take the gate's word on the calls of a reply, once every score is there that the policy asks for."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from agents.context import refusal_message
from agents.definitions import Agent
from agents.errors import LostLease
from agents.events import announce
from agents.gathering import gathered, wanted_next
from agents.journal import Journal
from agents.models import Run, Step
from agents.proposals import describe_errors
from agents.services.claim import Lease, fenced
from agents.services.judge_call import judge_call
from agents.states import StepState
from approvals.policies import PublishedPolicy
from approvals.services.policies import current
from audit.clock import database_now
from audit.fault_points import reached


def judge_reply(lease: Lease, agent: Agent, journal: Journal) -> None:
    """Judge all unjudged calls in one transaction, by the policy of now.

    Nothing changes where that policy asks for a score that is not there yet.
    """
    with fenced(lease) as run:
        published = current()
        if wanted_next(agent, published.policy.scores, journal) is not None:
            return
        for row in journal.unjudged:
            _judge(row, agent, run, journal, published)
        announce(run, "stepped", version=run.version)
        reached("judgement.before_commit")


def _judge(row: Step, agent: Agent, run: Run, journal: Journal, published: PublishedPolicy) -> None:
    now = database_now()
    tool = agent.tool(row.name)
    row.state = StepState.PROPOSED
    if tool is None:
        _refuse(row, now, "tool_gone", "This tool is not installed any more.")
    else:
        try:
            tool.parse(row.arguments or {})
        except ValidationError as error:
            what = f"The tool takes other arguments by now. {describe_errors(error)}"
            _refuse(row, now, "tool_changed", what)
    if row.state == StepState.PROPOSED and tool is not None:
        reply = journal.reply_of(row)
        choice = published.policy.scores.resolve(agent=agent.slug, tool=row.name)
        judge_call(
            row,
            agent,
            run,
            tool,
            gathered(row, journal, choice),
            published,
            journal.tools_called(),
            now,
            route=reply.model or reply.name,
        )
    landed = Step.objects.move(
        row.pk,
        StepState(row.state),
        **{name: getattr(row, name) for name in _FILLED},
    )
    if not landed:
        raise LostLease


_FILLED = (
    "problem",
    "output",
    "finished_at",
    "input_digest",
    "confidence_bp",
    "judgement",
    "coin",
)


def _refuse(row: Step, now: Any, code: str, message: str) -> None:
    row.state = StepState.FAILED
    row.problem = code
    row.output = refusal_message("failed", code, message)
    row.finished_at = now
