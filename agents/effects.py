"""Carrying out an effect once: intent first, then the call, then what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

import stamina
from django.conf import settings
from pydantic import ValidationError

from agents.definitions import Agent
from agents.errors import CallStopped, LostLease
from agents.execution import CallOutcome, Done, Failed, Unknown, call_tool, look_up
from agents.gating import Subject, preview_of, read_token
from agents.holding import is_held
from agents.journal import Journal
from agents.leases import renewer
from agents.models import EffectRecord, Run, Step
from agents.services.begin_next import Begun, GoOn
from agents.services.break_circuit import note_outcome
from agents.services.claim import Lease
from agents.services.dispatch import Changed, Lapsed, Reopened, intend, send_again
from agents.services.park import park
from agents.services.settle import (
    TransactionalFailure,
    run_transactional,
    settle_effect,
    settle_refused,
)
from agents.services.settle_doubt import doubt
from agents.services.spend_allowance import spend_allowance
from agents.services.take_up import Intended
from agents.states import EffectState
from agents.tools import EffectClass, Tool, ToolContext
from agents.verification import read_back
from approvals.digests import action_digest
from audit.clock import database_now
from audit.fault_points import reached

MOST_SENDS = 3
MADE_AGAIN = frozenset({EffectClass.TRANSACTIONAL, EffectClass.IDEMPOTENT})
"""What is done anew where nobody knows whether it was done."""


class _TryAgain(Exception):
    """The last sending may be repeated."""


@dataclass(frozen=True)
class Effects:
    """The effects of a run's calls."""

    lease: Lease
    run: Run
    agent: Agent
    journal: Journal
    go_on: GoOn

    def carry_out(self, step: Step, tool: Tool) -> bool | Begun:
        """Do it now; True when the run goes on.

        Raises a Refusal, with nothing done, when its approval may not be used.
        """
        effect = intend(self.lease, step, tool, self.agent, self._changed(step, tool))
        if isinstance(effect, Reopened):
            return True
        if isinstance(effect, Lapsed):
            settle_refused(
                self.lease, step, status="lapsed", code=effect.code, message=effect.sentence
            )
            return True
        return self.send(step, tool, effect)

    def send(self, step: Step, tool: Tool, effect: EffectRecord) -> bool | Begun:
        """Send what is intended, and journal what is known of it; True when the run goes on."""
        reached("intent.committed")
        try:
            outcome = self._send(step, tool, effect)
        except CallStopped:
            # It is not known whether it happened, and it may not be sent again now: that is found out
            # once the switch is lifted.
            return True
        if isinstance(outcome, Unknown) and tool.effect_class is EffectClass.QUERYABLE:
            found = self._look_up(step, tool, effect)
            outcome = found if isinstance(found, Done) else outcome
        return self._settle(step, tool, effect, outcome)

    def _changed(self, step: Step, tool: Tool) -> Changed | None:
        """Whether the world changed since people were shown what the call would do."""
        if step.approval_id is None or not step.state_token:
            return None
        subject, now, arguments = (
            Subject(self.agent, self.run),
            database_now(),
            step.arguments or {},
        )
        with renewer.within(self.lease, tool.timeout_seconds):
            token = read_token(subject, tool, arguments, now)
            if token == step.state_token:
                return None
            return Changed(token, preview_of(subject, tool, arguments, now))

    def recover(self, step: Step, tool: Tool, effect: EffectRecord) -> bool | Begun:
        """A worker died after the intent: what its effect class allows, and no more.

        A call that would be made again waits while a kill switch holds it.
        """
        if is_held(self.run, step.name) and EffectClass(effect.effect_class) in MADE_AGAIN:
            park(self.lease, [], stopped=[step])
            return False
        match EffectClass(effect.effect_class):
            case EffectClass.TRANSACTIONAL:
                outcome = self._send(step, tool, effect)
            case EffectClass.IDEMPOTENT:
                try:
                    send_again(self.lease, effect)
                    spend_allowance(tool, owed=True)
                    outcome = self._send(step, tool, effect, doubtful=True)
                except CallStopped:
                    return True
            case EffectClass.QUERYABLE:
                outcome = self._look_up(step, tool, effect)
            case EffectClass.OPAQUE:
                outcome = Unknown(
                    "answer_lost", "The worker died after sending; the answer is lost."
                )
        return self._settle(step, tool, effect, outcome)

    def _look_up(self, step: Step, tool: Tool, effect: EffectRecord) -> CallOutcome:
        arguments = tool.parse(step.arguments or {})
        with renewer.within(self.lease, tool.timeout_seconds):
            return look_up(tool, self._context(tool, effect), arguments)

    def _context(self, tool: Tool, effect: EffectRecord) -> ToolContext:
        # A call that is sent again is the same call, of the same moment.
        assert effect.dispatched_at is not None, "it is intended before anybody is asked"
        step = effect.step
        return Subject(self.agent, self.run).context_for(
            tool, effect.idempotency_key, effect.dispatched_at, step.undoes, step.state_token
        )

    def _send(
        self, step: Step, tool: Tool, effect: EffectRecord, *, doubtful: bool = False
    ) -> CallOutcome:
        """Send, and again where the class allows it. `doubtful`: an earlier sending may have done it.

        Raises CallStopped where it would be sent again, to find out, and a kill switch was set meanwhile.
        """
        ctx = self._context(tool, effect)
        if effect.effect_class == EffectClass.TRANSACTIONAL:
            try:
                with renewer.within(self.lease, tool.timeout_seconds):
                    done = run_transactional(self.lease, step, tool, effect, ctx)
            except TransactionalFailure as failure:
                done = failure.outcome
            note_outcome(self.run, step, tool, done)
            return done
        arguments = tool.parse(step.arguments or {})
        outcome: CallOutcome = Unknown("not_sent", "")
        attempts = stamina.retry_context(
            on=_TryAgain,
            attempts=MOST_SENDS,
            timeout=None,
            wait_initial=settings.COUNTERSIGN.model_backoff_seconds / 4,
            wait_jitter=settings.COUNTERSIGN.model_backoff_seconds / 4,
        )
        try:
            for attempt in attempts:
                with attempt:
                    if attempt.num > 1:
                        send_again(self.lease, effect)
                        spend_allowance(tool, owed=True)
                    # The last look before the world hears of it.
                    if renewer.is_lost(self.lease):
                        raise LostLease
                    with renewer.within(self.lease, tool.timeout_seconds):
                        heard = call_tool(tool, ctx, arguments)
                    note_outcome(self.run, step, tool, heard)
                    outcome = _in_light_of(doubtful, heard)
                    doubtful = doubtful or isinstance(outcome, Unknown)
                    if _may_repeat(tool, outcome):
                        raise _TryAgain
        except _TryAgain:
            return outcome
        except CallStopped:
            if isinstance(outcome, Failed):
                return outcome
            raise
        if isinstance(outcome, Unknown) and tool.effect_class is EffectClass.QUERYABLE:
            found = self._look_up(step, tool, effect)
            return found if isinstance(found, Done) else outcome
        return outcome

    def _settle(
        self, step: Step, tool: Tool, effect: EffectRecord, outcome: CallOutcome
    ) -> bool | Begun:
        # A transactional one was read back inside its transaction.
        is_read_back = tool.verifier and effect.effect_class != EffectClass.TRANSACTIONAL
        if isinstance(outcome, Done) and is_read_back:
            arguments = tool.parse(step.arguments or {})
            with renewer.within(self.lease, tool.timeout_seconds):
                outcome = read_back(tool, self._context(tool, effect), arguments, outcome)
        if isinstance(outcome, Unknown):
            doubt(self.lease, self.agent, self.run, self.journal, step, effect, outcome)
            return False
        begun = settle_effect(self.lease, step, tool, effect, outcome, self.go_on)
        reached("result.committed")
        return begun or True


def send(lease: Lease, intended: Intended, go_on: GoOn) -> bool | Begun:
    """Send the call with which a run was taken up; True when the run goes on."""
    effects = Effects(lease, intended.run, intended.agent, intended.journal, go_on)
    return effects.send(intended.step, intended.tool, intended.effect)


def recover(
    lease: Lease, run: Run, agent: Agent | None, journal: Journal, step: Step, *, stalled: bool
) -> bool | Begun:
    """Find out what became of a call whose worker died; True when the run goes on.

    `stalled`: that was tried again and again, and the next worker would die of it too. Then, and where
    the tool is not the one any more that sent it, a person finds out.
    """
    effect = EffectRecord.objects.get(step=step, state=EffectState.DISPATCHED)
    tool = agent.tool(step.name) if agent else None
    if stalled:
        why = Unknown("crash_loop", "Workers die on it again and again.")
    elif agent is None or tool is None or not is_same_call(tool, step, effect):
        why = Unknown("tool_changed", "The tool that sent it is not installed any more.")
    else:
        return Effects(lease, run, agent, journal, _in_its_turn).recover(step, tool, effect)
    doubt(lease, agent, run, journal, step, effect, why)
    return False


def _in_its_turn(run: Run, step: Step) -> None:
    """After a crash everything is looked at anew before the run goes on."""


def is_same_call(tool: Tool, step: Step, effect: EffectRecord) -> bool:
    """Whether what was sent may be sent or looked up by this tool."""
    arguments = step.arguments or {}
    if action_digest(tool.name, tool.version, arguments) != effect.digest:
        return False
    try:
        tool.parse(arguments)
    except ValidationError:
        return False
    return bool(tool.effect_class == effect.effect_class)


def _in_light_of(doubtful: bool, outcome: CallOutcome) -> CallOutcome:
    """A refusal after a sending of unknown outcome says nothing about that first one."""
    if doubtful and isinstance(outcome, Failed):
        return Unknown(outcome.code, outcome.message)
    return outcome


def _may_repeat(tool: Tool, outcome: CallOutcome) -> bool:
    if isinstance(outcome, Failed):
        return outcome.retryable
    return isinstance(outcome, Unknown) and tool.effect_class is EffectClass.IDEMPOTENT
