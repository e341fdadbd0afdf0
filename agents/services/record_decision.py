"""Journal what a model answered at a decision point of a workflow, in one transaction with its reply."""

from __future__ import annotations

from itertools import count

from agents.decisions import DecisionPoint
from agents.events import announce
from agents.llm_types import Reply
from agents.models import Step
from agents.proposals import Proposal
from agents.services.claim import Lease, fenced
from agents.services.record_reply import close_model_call, fill
from agents.states import StepState
from audit.clock import database_now
from audit.fault_points import reached
from audit.writes import insert


def record_decision(lease: Lease, step: Step, reply: Reply, point: DecisionPoint) -> None:
    """Close the model step and insert the answer; of a reply that holds none, what was wrong with each call."""
    with fenced(lease) as run:
        close_model_call(run, step, reply)
        now = database_now()
        reads = point.read(reply)
        for read, call, seq in zip(reads, reply.calls, count(step.seq + 1), strict=False):
            row = Step(
                run=run,
                seq=seq,
                schema=Step.CONTEXT_SCHEMA,
                call_id=call.id,
                epoch=lease.epoch,
                started_at=now,
            )
            fill(row, read, call, now)
            if isinstance(read, Proposal):
                row.state, row.finished_at = StepState.SUCCEEDED, now
                row.output = {"status": "decided"}
            insert(row)
        announce(run, "stepped")
        reached("decision.before_commit")
