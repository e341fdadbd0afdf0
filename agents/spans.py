"""What the spans of a run say, in the words of OpenTelemetry's conventions for generative AI.

A stretch is what one worker does with a run between claiming it and letting go of it. Each has a span, linked to
that of the stretch before; how long the run waited in between is the matter of a short span of its own.
Nothing here holds content: that is `agents.span_content`'s, and off unless somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from opentelemetry.trace import Span, SpanContext, SpanKind

from agents import span_content
from agents.models import HostedAgent, Run, Step
from agents.states import RunState, StepKind
from approvals.schemas import GateVerdict
from approvals.vocabulary import Risk
from audit import log_ids, tracing

if TYPE_CHECKING:
    from agents.services.park import Ask

STRETCH: Final = "stretch"

_NO_LINKS: Final[tuple[SpanContext, ...]] = ()


def run_facts(run: Run) -> dict[str, str | int | float | bool]:
    """What each stretch says of its run. The run is read with its agent and its version."""
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.id": run.agent.slug,
        "gen_ai.agent.name": run.agent.title,
        "gen_ai.agent.version": run.agent_version.digest,
        "gen_ai.conversation.id": str(run.pk),
        "countersign.run.id": str(run.pk),
        "countersign.agent.category": run.agent.category,
        "countersign.run.depth": run.depth,
        "countersign.run.tainted": run.tainted,
    }


@contextmanager
def stretch(run: Run, *, owner: str, since: int | None) -> Iterator[None]:
    """What a worker does with the run that it just claimed; `since`: a moment before that."""
    if not tracing.is_on():
        yield
        return
    before = _NO_LINKS
    if run.epoch > 1:
        before = (tracing.span_of(run.pk, tracing.derived(run.pk, STRETCH, run.epoch - 1)),)
    facts = run_facts(run) | {
        "countersign.run.epoch": run.epoch,
        "countersign.run.stalled_claims": run.stalled_claims,
        "countersign.run.waited_seconds": run.waited_seconds,
        "countersign.worker": owner,
    }
    with (
        tracing.span(
            f"invoke_agent {run.agent.slug}",
            facts,
            run=run.pk,
            after=tracing.derived(run.pk, tracing.WAKE, run.wake_seq),
            span_id=tracing.derived(run.pk, STRETCH, run.epoch),
            since=since,
            links=before,
        ),
        span_content.of_run(run),
    ):
        yield


def lost_stretch(run: Run) -> None:
    """In place of the span of a worker that died, or stands still: until its lease ran out. What it did before
    that may have arrived, and stands within this one. The run is as it stood under that lease."""
    began, ended = run.claimed_at, run.lease_expires_at
    if not tracing.is_on() or began is None or ended is None:
        return
    epoch = run.epoch
    tracing.note(
        f"invoke_agent {run.agent.slug}",
        run_facts(run) | {"countersign.run.epoch": epoch, "countersign.worker": run.lease_owner},
        run=run.pk,
        span_id=tracing.derived(run.pk, STRETCH, epoch),
        since=nanoseconds(began),
        until=nanoseconds(ended),
        failed="lease_expired",
    )


def waited(run: Run, until: datetime, by: str) -> None:
    """That the run waited, from when it was parked until now. `by`: what ends it, as a code."""
    if not tracing.is_on() or run.parked_at is None:
        return
    tracing.note(
        "wait",
        {
            "countersign.run.id": str(run.pk),
            "countersign.wait.began": run.parked_at.isoformat(),
            "countersign.wait.ended": until.isoformat(),
            "countersign.wait.seconds": (until - run.parked_at).total_seconds(),
            "countersign.wait.ended_by": by,
        },
        run=run.pk,
        links=[tracing.span_of(run.pk, tracing.derived(run.pk, STRETCH, run.epoch))],
    )


@contextmanager
def step(at: Step) -> Iterator[None]:
    """What is done for one step now."""
    with log_ids.beside(step=at.seq):
        if not tracing.is_on():
            yield
            return
        with (
            tracing.span(
                f"step {at.kind}",
                {
                    "countersign.step.seq": at.seq,
                    "countersign.step.kind": at.kind,
                    "countersign.step.name": at.name,
                    "countersign.step.id": str(at.pk),
                },
            ),
            span_content.none() if at.kind == StepKind.SCORE else nullcontext(),
        ):
            yield


def tool_span(name: str, act: str = "") -> tracing.Opening:
    """A call of a tool's function: its own, or with an `act` what else it declares, such as `preview`."""
    facts = {"gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
    if act:
        return tracing.span(f"{act} {name}", facts | {"countersign.tool.act": act})
    return tracing.span(f"execute_tool {name}", facts | {"gen_ai.operation.name": "execute_tool"})


def state(name: str) -> tracing.Opening:
    """Asking a state of a workflow what comes next."""
    return tracing.span(f"state {name}", {"countersign.state": name})


def gate(tool: str) -> tracing.Opening:
    """Putting a proposed call before the gate."""
    return tracing.span(f"gate {tool}", {"gen_ai.tool.name": tool})


def gate_said(made: Span, row: Step, risk: Risk, verdict: GateVerdict) -> None:
    """What the gate said, and by which rule; never the score, and no reason that would tell one which is secret
    until a person decided."""
    if made.is_recording():
        shown = bool((row.coin or {}).get("score_visible"))
        made.set_attributes(
            {
                "countersign.step.seq": row.seq,
                "countersign.tool.risk": risk.value,
                "countersign.gate.outcome": verdict.outcome.value,
                "countersign.gate.policy_version": verdict.policy_version,
                "countersign.gate.rule": verdict.rule or "",
                "countersign.gate.reasons": [reason.code for reason in verdict.reasons]
                if shown
                else [],
            }
        )


def parking(asks: Sequence[Ask]) -> tracing.Opening:
    """Letting go of the run until something comes that it waits for."""
    if not tracing.is_on():
        return tracing.span("park")
    kinds = [ask.opening.kind.value for ask in asks]
    return tracing.span("park", {"countersign.requests": kinds})


def parked(made: Span, state: RunState, facts: Mapping[str, Any]) -> None:
    """As what the run was left, and why, where that is no request."""
    if made.is_recording():
        made.set_attributes(
            {"countersign.run.state": state.value, "countersign.why": str(facts.get("why", ""))}
        )


@contextmanager
def starting(run_id: UUID, hosted: HostedAgent) -> Iterator[None]:
    """Writing a run that somebody starts."""
    facts = {"gen_ai.agent.id": hosted.slug, "countersign.run.id": str(run_id)}
    with (
        log_ids.beside(run=str(run_id)),
        tracing.span(f"start_run {hosted.slug}", facts, run=run_id),
    ):
        yield


def delegated(child: Run, hosted: HostedAgent, parent: Run) -> None:
    """That a run was started by another one, to whose trace its own is linked."""
    tracing.note(
        f"start_run {hosted.slug}",
        {
            "gen_ai.agent.id": hosted.slug,
            "countersign.run.id": str(child.pk),
            "countersign.run.parent": str(parent.pk),
            "countersign.run.depth": child.depth,
        },
        run=child.pk,
    )


def sending(run_id: UUID, wake_seq: int, queue: str, *, again: bool) -> tracing.Opening:
    """Putting a wake-up on a queue; the first for that number stands before the stretch that comes of it."""
    known = tracing.derived(run_id, tracing.WAKE, wake_seq)
    return tracing.span(
        f"send {queue}",
        _message(run_id, wake_seq, queue, "send"),
        run=run_id,
        kind=SpanKind.PRODUCER,
        after=known if again else None,
        span_id=None if again else known,
    )


def held(run_id: UUID, wake_seq: int, ready_at: datetime) -> None:
    """That the run is ready from that moment on, in place of sending it a wake-up now."""
    tracing.note(
        "hold",
        {"countersign.run.id": str(run_id), "countersign.ready_at": ready_at.isoformat()},
        run=run_id,
        span_id=tracing.derived(run_id, tracing.WAKE, wake_seq),
    )


def taking(run_id: UUID, wake_seq: int, queue: str) -> tracing.Opening:
    """Taking a wake-up from a queue, with everything that is done for it."""
    return tracing.span(
        f"process {queue}",
        _message(run_id, wake_seq, queue, "process"),
        run=run_id,
        kind=SpanKind.CONSUMER,
        after=tracing.derived(run_id, tracing.WAKE, wake_seq),
    )


def _message(run_id: UUID, wake_seq: int, queue: str, act: str) -> dict[str, str | int]:
    return {
        "messaging.system": "redis",
        "messaging.operation.name": act,
        "messaging.operation.type": act,
        "messaging.destination.name": queue,
        "messaging.message.id": f"run-{run_id}-{wake_seq}",
        "countersign.run.id": str(run_id),
    }


def ended(run: Run, state: str, outcome: str) -> None:
    """Note at the span at hand that the run ended in it."""
    if tracing.is_on():
        tracing.event(
            "run.ended",
            {"countersign.run.state": state, "countersign.run.outcome": outcome},
        )


def nanoseconds(moment: datetime) -> int:
    """The moment as spans count it."""
    return int(moment.timestamp() * 1_000_000) * 1_000
