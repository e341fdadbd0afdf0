"""Runs of thousands of steps, written straight into the database: nobody waits for a model that often."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from accounts.models import User
from agents.models import HostedAgent, Run, Step
from audit.clock import database_now

SECONDS = 3


def long_run(operator: User, slug: str, steps: int, *, state: str = "succeeded") -> Run:
    """A run of the agent that asked its model and read a balance, in turn, that often."""
    hosted = HostedAgent.objects.get(slug=slug)
    now = database_now()
    began = now - timedelta(seconds=SECONDS * steps)
    ended = state in ("succeeded", "failed", "cancelled")
    run = Run.objects.create(
        agent=hosted,
        agent_version=hosted.active_version,
        initiator=operator,
        input={"task": "Look at everything."},
        input_digest="sha256:" + "0" * 64,
        title="Look at everything.",
        state=state,
        outcome="done" if ended else "",
        step_count=steps,
        created_at=began,
        started_at=began,
        finished_at=now if ended else None,
        parked_at=None if ended else now,
    )
    add_steps(run, 1, steps)
    return run


def add_steps(run: Run, first: int, last: int) -> None:
    """More of the same, each with the words `mark <seq>`."""
    began = run.created_at
    rows = []
    for seq in range(first, last + 1):
        at = began + timedelta(seconds=SECONDS * seq)
        asked = seq % 2 == 1
        rows.append(
            Step(
                id=uuid4(),
                run=run,
                seq=seq,
                kind="model" if asked else "tool",
                name="scripted" if asked else "read_balance",
                model="scripted" if asked else "",
                state="succeeded",
                arguments=None if asked else {"account": f"mark {seq}"},
                response={"choices": [{"message": {"content": f"mark {seq}"}}]} if asked else None,
                output=None if asked else {"result": f"mark {seq}"},
                tokens_in=100 if asked else 0,
                started_at=at,
                finished_at=at + timedelta(seconds=1),
            )
        )
    Step.objects.bulk_create(rows, batch_size=1000)
