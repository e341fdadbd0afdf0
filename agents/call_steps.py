"""The calls of a reply: allowed ones run first, reviewed ones wait, each settles by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from pydantic import ValidationError

from agents import spans
from agents.answer_steps import TURNED_DOWN, settle_result, unfounded, was_sent_back
from agents.definitions import Agent
from agents.delegations import Delegations, behind
from agents.effects import Effects
from agents.errors import CallStopped
from agents.execution import call_tool
from agents.gating import Subject, read_token
from agents.journal import ACTIONS, CALL_KINDS, ENDED, Journal, waits_for_child
from agents.judged import is_allowed, needs_person
from agents.leases import renewer
from agents.models import Run, Step
from agents.notebook import READ_RESULT, RECALL, REMEMBER
from agents.openings import for_action, for_question
from agents.people_steps import would_wait
from agents.proposals import describe_errors
from agents.resources import LocksUnknown
from agents.services.begin_next import Begun, GoOn, going_on
from agents.services.break_circuit import note_outcome
from agents.services.claim import Lease
from agents.services.dispatch import Lapsed
from agents.services.end import succeed
from agents.services.park import Ask, park
from agents.services.read_result import read_result
from agents.services.rejudge import still_allowed
from agents.services.settle import settle_answered, settle_read, settle_refused
from agents.services.take_up import is_ready
from agents.services.use_memory import use_memory
from agents.states import Outcome, StepKind, StepState
from agents.tool_secrets import missing_secrets
from agents.tools import Tool
from agents.turns import SOON_SECONDS, Turns
from audit.clock import moment_of
from audit.errors import Refusal

TOLD = {
    "rejected": "A person rejected this call. It did not run. Do not propose it again.",
    "sent_back": "A person sent this call back. It did not run. Mind the feedback; you may propose again.",
    "expired": "Nobody decided in time, which counts as rejected. The call did not run.",
    "lapsed": "The approval was not used in time. The call did not run; you may propose it again.",
    "cancelled": "The request was withdrawn. The call did not run.",
}


TOO_EARLY = "Not every other call of this reply succeeded, so it cannot end the run. Read their results, then end."
TOLD_MEANWHILE = "A person said something since, which you have not read yet. Read it, then end."


@dataclass(frozen=True)
class CallSteps:
    """The open calls of the newest reply of a run."""

    lease: Lease
    run: Run
    agent: Agent
    journal: Journal
    stopping: Callable[[], bool]

    @cached_property
    def open(self) -> list[Step]:
        return [step for step in self.journal.unsettled if step.kind in CALL_KINDS]

    @cached_property
    def turns(self) -> Turns:
        return Turns(self.lease, self.run, self.agent)

    @property
    def any_open(self) -> bool:
        return bool(self.open)

    @property
    def only_ending(self) -> bool:
        """Whether nothing is left of the reply but its end."""
        return bool(self.open) and all(
            step.kind in (StepKind.FINAL, StepKind.ABSTAIN) for step in self.open
        )

    def advance(self) -> bool | Begun:
        """Do the next thing with these calls; True when the run goes on now."""
        try:
            return self._advance()
        except LocksUnknown as problem:
            settle_refused(
                self.lease,
                problem.step,
                status="failed",
                code="locks_unknown",
                message=str(problem),
            )
            return True

    def _advance(self) -> bool | Begun:
        now = moment_of(self.run)
        effects = Effects(self.lease, self.run, self.agent, self.journal, self._go_on)
        for step in self.open:
            if (
                step.state == StepState.PROPOSED
                and step.kind in ACTIONS
                and not needs_person(step)
                and self.turns.may_run(step)
            ):
                return self._execute(step, effects, now)
        early = behind(self.open)
        for step in self.open:
            if (
                step.state == StepState.WAITING
                and is_ready(step, now)
                and step not in early
                and self._may_go_on(step)
            ):
                return self._resolved(step, effects, now)
        asking = [step for step in self.open if _asks(step) and self.turns.has_come(step)]
        for step in asking:
            if step.kind in ACTIONS and self.agent.tool(step.name) is None:
                return self._refuse_gone(step)
        asks = [self._ask(step, now) for step in asking]
        in_line, held_back, stopped = self.turns.in_line, self.turns.held_back, self.turns.stopped
        if (
            asks
            or in_line
            or held_back
            or stopped
            or any(step.state in (StepState.WAITING, StepState.DISPATCHED) for step in self.open)
        ):
            park(
                self.lease,
                asks,
                in_line=in_line,
                held_back=held_back,
                stopped=stopped,
                early=[step.pk for step in early],
                for_children=all(waits_for_child(step) for step in self.open if step not in early),
            )
            return False
        return self._finish(self.open[0])

    def _may_go_on(self, step: Step) -> bool:
        """Only a call that will run has to wait for its turn."""
        return (step.resolution or {})["kind"] != "approved" or self.turns.may_run(step)

    def _execute(self, step: Step, effects: Effects, now: datetime) -> bool | Begun:
        with spans.step(step):
            return self._execute_it(step, effects, now)

    def _execute_it(self, step: Step, effects: Effects, now: datetime) -> bool | Begun:
        if step.name == READ_RESULT:
            read_result(self.lease, step, self.journal)
            return True
        tool = self.agent.tool(step.name)
        if tool is None:
            return self._refuse_gone(step)
        try:
            arguments = tool.parse(step.arguments or {})
        except ValidationError as error:
            what = f"The tool takes other arguments by now. {describe_errors(error)}"
            settle_refused(self.lease, step, status="failed", code="tool_changed", message=what)
            return True
        if missing := missing_secrets(tool):
            what = (
                f"{tool.name} is not set up here: {', '.join(missing)} is missing. It did not run."
            )
            settle_refused(self.lease, step, status="failed", code="secret_missing", message=what)
            return True
        if step.approval_id is None and not is_allowed(step):
            # Whatever brought it here: there is no approval, and the gate did not let it through.
            what = "The call has neither an approval nor the policy's leave."
            settle_refused(self.lease, step, status="lapsed", code="not_approved", message=what)
            return True
        if step.approval_id is None and not still_allowed(self.lease, step):
            return True
        if step.kind == StepKind.DELEGATE:
            delegations = Delegations(self.lease, self.run, self.agent, self.journal)
            return self._carry_out(step, partial(delegations.start, step, tool))
        if tool.name in (REMEMBER, RECALL):
            return self._carry_out(step, partial(self._use_memory, step, tool))
        if tool.consequential or step.approval_id is not None:
            return self._carry_out(step, partial(effects.carry_out, step, tool))
        ctx = Subject(self.agent, self.run).context_for(tool, str(step.pk), now)
        with renewer.within(self.lease, tool.timeout_seconds):
            outcome = call_tool(tool, ctx, arguments)
        note_outcome(self.run, step, tool, outcome)
        return settle_read(self.lease, step, tool, outcome, self._go_on) or True

    @property
    def _go_on(self) -> GoOn:
        return going_on(self.run, self.agent, self.journal, self.stopping)

    def _use_memory(self, step: Step, tool: Tool) -> bool:
        held_up = use_memory(self.lease, step, tool, self.agent)
        if isinstance(held_up, Lapsed):
            what = held_up.sentence
            settle_refused(self.lease, step, status="lapsed", code=held_up.code, message=what)
        return True

    def _refuse_gone(self, step: Step) -> bool:
        gone = "This tool is not installed any more."
        settle_refused(self.lease, step, status="failed", code="tool_gone", message=gone)
        return True

    def _carry_out(self, step: Step, carry_out: Callable[[], bool | Begun]) -> bool | Begun:
        try:
            return carry_out()
        except Refusal as refusal:
            if Step.objects.only("resolution").get(pk=step.pk).resolution != step.resolution:
                # Taken back, or decided anew, since the journal was read.
                return True
            if isinstance(refusal, CallStopped) or refusal.params.get("stopped"):
                # Switched off just now, which takes nothing away: the run is read anew, and stands still.
                return True
            if refusal.params.get("ready_at"):
                # The clock of PostgreSQL was set back: by it the approval can still be taken back.
                park(self.lease, [], held_back={step.pk: SOON_SECONDS})
                return False
            settle_refused(
                self.lease, step, status="lapsed", code=refusal.code, message=refusal.detail
            )
            return True

    def _resolved(self, step: Step, effects: Effects, now: datetime) -> bool | Begun:
        resolution = step.resolution or {}
        kind, data = str(resolution["kind"]), resolution.get("data") or {}
        if step.kind == StepKind.QUESTION:
            settle_answered(self.lease, step, _answer(kind, data))
            return True
        if step.kind == StepKind.FINAL:
            return settle_result(self.lease, step)
        if kind == "approved":
            return self._execute(step, effects, now)
        if kind == ENDED:
            return Delegations(self.lease, self.run, self.agent, self.journal).take(step)
        reason = data.get("reason") or data.get("message") or ""
        picked = data.get("reason_code")
        settle_refused(
            self.lease,
            step,
            status=kind,
            code=kind,
            message=TOLD.get(kind, "The call did not run."),
            **({"feedback": reason} if reason else {}),
            **({"reason_code": picked} if picked else {}),
        )
        return True

    def _ask(self, step: Step, now: datetime) -> Ask:
        others = [other for other in self.journal.steps if other.seq != step.seq]
        if step.kind == StepKind.QUESTION:
            return Ask(step, for_question(self.run, step, others))
        tool = self.agent.tool(step.name)
        assert tool is not None, "a judged call has a tool"
        # Before the preview is made: a change in between must show as one.
        with renewer.within(self.lease, tool.timeout_seconds):
            token = read_token(Subject(self.agent, self.run), tool, step.arguments or {}, now)
            return Ask(step, for_action(self.agent, self.run, step, tool, others, now), token)

    def _finish(self, step: Step) -> bool:
        """Only an ending is left: an abstention, or the final answer."""
        if any(other.state != StepState.SUCCEEDED for other in self.journal.beside(step)):
            settle_refused(
                self.lease, step, status="not_taken", code="ended_too_early", message=TOO_EARLY
            )
            return True
        if self.journal.told_since(step):
            settle_refused(
                self.lease, step, status="not_taken", code="told_meanwhile", message=TOLD_MEANWHILE
            )
            return True
        if was_sent_back(step, self.journal):
            settle_refused(
                self.lease, step, status="not_taken", code="turned_down", message=TURNED_DOWN
            )
            return True
        ask = (
            unfounded(self.agent, self.run, step, self.journal)
            if step.kind == StepKind.FINAL
            else None
        )
        if ask is not None and self.run.simulated:
            return would_wait(self.lease, "answer_unfounded", ask.opening.preview.title)
        if ask is not None:
            park(self.lease, [ask])
            return False
        outcome = Outcome.ABSTAINED if step.kind == StepKind.ABSTAIN else Outcome.DONE
        return not succeed(self.lease, step, outcome=outcome, output=step.arguments or {})


def _asks(step: Step) -> bool:
    return step.state == StepState.PROPOSED and needs_person(step)


def _answer(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    if kind == "answered":
        return {"status": "answered", "answer": data.get("answer")}
    return {"status": "no_answer", "message": "Nobody answered in time. Go on without, or abstain."}
