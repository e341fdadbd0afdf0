"""Journal a reply and every call in it, each with the gate's word, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import count

import structlog
from django.db import InterfaceError, OperationalError

from agents.builtin import ABSTAIN, FINAL_ANSWER
from agents.context import refusal_message
from agents.definitions import Agent
from agents.errors import LostLease
from agents.events import announce, exchange_disclosure, tell
from agents.gathering import confidence_from, signals_of
from agents.holding import is_undisturbed
from agents.journal import Journal
from agents.llm_types import Reply, ToolCall
from agents.log_probabilities import weigh
from agents.models import Run, Step
from agents.proposals import Malformed, Proposal, read_call
from agents.services.call_model import finish_model_call
from agents.services.claim import Lease, fenced
from agents.services.end import DONE, end_with
from agents.services.judge_call import judge_call
from agents.services.note_reported import note_reported
from agents.states import StepKind, StepState
from agents.storable import storable
from approvals.services.policies import current
from audit.canonical import canonical_bytes, sha256_hex
from audit.clock import database_now
from audit.fault_points import reached
from audit.writes import insert

log = structlog.get_logger(__name__)

MOST_CALLS = 64


def record_reply(
    lease: Lease,
    step: Step,
    reply: Reply,
    agent: Agent,
    journal: Journal,
    *,
    stands: Callable[[Run, Step], bool],
) -> bool:
    """Close the model step and insert one step for each call of the reply, in its order; whether the run has
    ended with that.

    Where the policy asks for scores that take further calls of a model, the gate is asked about all calls
    of the reply once these are there (`judge_reply`).

    `stands`: whether nothing of an ending, which is not stored yet, has to be looked at by a person. One that
    is the reply's only call then ends the run in the same transaction, unless anything else is to be done first.
    """
    record = partial(_recorded, lease, step, reply, agent, journal, stands)
    if agent.flow is None and _is_ending(reply):
        try:
            return record(may_end=True)
        except (LostLease, OperationalError, InterfaceError):
            raise
        # The end may fail, as where an undo is handed over with it. What the model replied is journalled all the
        # same: else it would be asked, and paid, again.
        except Exception:
            log.exception("end_failed", run=str(lease.run_id))
    return record(may_end=False)


def _recorded(
    lease: Lease,
    step: Step,
    reply: Reply,
    agent: Agent,
    journal: Journal,
    stands: Callable[[Run, Step], bool],
    *,
    may_end: bool,
) -> bool:
    ended = False
    with fenced(lease, with_switches=may_end, may_end=may_end) as run:
        close_model_call(run, step, reply)
        now = database_now()
        earlier = journal.tools_called()
        reads = [_read(agent, call, place) for place, call in enumerate(reply.calls, start=1)]
        named = [read.name for read in reads if isinstance(read, Proposal) and read.tool]
        published = current() if named else None
        waits = published is not None and any(
            published.policy.scores.resolve(agent=agent.slug, tool=name).takes_calls
            for name in named
        )
        weights = weigh(reply.raw, reply.calls)
        for read, call, weighed, seq in zip(
            reads, reply.calls, weights, count(step.seq + 1), strict=False
        ):
            row = Step(run=run, seq=seq, call_id=call.id, epoch=lease.epoch, started_at=now)
            fill(row, read, call, now)
            if isinstance(read, Proposal) and read.tool is not None and published is not None:
                if waits:
                    row.state = StepState.UNJUDGED
                    row.schema = max(row.schema, Step.SCORE_SCHEMA)
                else:
                    choice = published.policy.scores.resolve(agent=agent.slug, tool=row.name)
                    confidence = confidence_from(signals_of(row, weighed, choice), choice)
                    judge_call(
                        row,
                        agent,
                        run,
                        read.tool,
                        confidence,
                        published,
                        earlier,
                        now,
                        route=step.model or step.name,
                    )
            ended = (
                may_end
                and row.state == StepState.PROPOSED
                and _goes_on(run, step, journal)
                and stands(run, row)
            )
            if ended:
                row.state, row.output, row.finished_at = StepState.SUCCEEDED, dict(DONE), now
            insert(row)
        if ended:
            # The reply was charged to it just now.
            run.version += 1
            end_with(run, row)
        else:
            announce(run, "stepped")
        reached("reply.before_commit")
    return ended


def _is_ending(reply: Reply) -> bool:
    return len(reply.calls) == 1 and reply.calls[0].name in (FINAL_ANSWER, ABSTAIN)


def _goes_on(run: Run, step: Step, journal: Journal) -> bool:
    """Whether nothing but what the reply asks for comes next, whatever people did while the model was asked."""
    if run.simulated or not is_undisturbed(run):
        return False
    return all(other.pk == step.pk for other in journal.unsettled)


def close_model_call(run: Run, step: Step, reply: Reply) -> None:
    """Close the step with its reply and record the call. The caller holds the fence."""
    known = finish_model_call(run, step, reply)
    if not run.simulated:
        note_reported(run, asked=step.name, reported=step.model, names=known.names)
    tell(
        run,
        "model.called",
        facts={
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "tokens_cached": reply.cached_in,
            "cost_micros": step.cost_micros,
            "attempts": len(step.attempts) + 1,
            "calls": len(reply.calls),
        },
        disclosures=[exchange_disclosure(run, step, reply.raw)],
    )


def _read(agent: Agent, call: ToolCall, place: int) -> Proposal | Malformed:
    read = read_call(agent, call)
    if place <= MOST_CALLS:
        return read
    what = f"At most {MOST_CALLS} calls in one reply are taken."
    return Malformed(read.kind, read.name, "too_many_calls", what)


def fill(row: Step, read: Proposal | Malformed, call: ToolCall, now: datetime) -> None:
    """Fill in what a call of a reply says, or what is wrong with it."""
    row.kind, row.name = read.kind, read.name
    if read.kind is StepKind.DELEGATE:
        row.schema = Step.DELEGATE_SCHEMA
    if isinstance(read, Malformed):
        row.state = StepState.FAILED
        row.problem = read.code
        row.response = {"arguments_text": call.arguments[:20_000]}
        # The message may repeat what the model wrote, a field's name for instance.
        row.output = storable(refusal_message("error", read.code, read.message))
        row.finished_at = now
        return
    row.arguments = read.normalised
    row.rationale = read.rationale
    row.confidence_bp = read.confidence_bp
    row.state = StepState.PROPOSED
    if read.kind is StepKind.FINAL:
        row.request = {"relies_on": list(read.relies_on)}
    if read.tool is None:
        row.input_digest = sha256_hex(canonical_bytes(read.normalised))
