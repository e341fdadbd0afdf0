"""The model's turn: ask along the agent's chain of models, journal the reply, or sleep, or ask a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from agents import spans
from agents.answer_steps import stands
from agents.context import Context, build_context
from agents.conversations import requests_of
from agents.decisions import DecisionPoint
from agents.definitions import Agent
from agents.drift import Trouble
from agents.errors import SwitchedOff
from agents.journal import Journal
from agents.leases import renewer
from agents.llm_types import Endpoint, ModelError, Reply
from agents.model_calls import ask, chain_of, endpoints_of, longest, window_of
from agents.models import Run, Step
from agents.people_steps import attention, budget
from agents.services.call_model import (
    INTERRUPTED,
    begin_model_call,
    describe_failure,
    digest_of,
    fail_model_call,
    record_attempt,
)
from agents.services.claim import Lease
from agents.services.record_decision import record_decision
from agents.services.record_reply import record_reply
from agents.services.sleep import sleep
from agents.states import StepKind
from agents.weighing import cap_of_call
from audit.fault_points import reached

MOST_INTERRUPTIONS = 5
LONGEST_SLEEP_SECONDS = 3600
CONTEXT_FULL = Trouble(
    "context_full",
    "what it must be sent does not fit its model",
    "Its instructions, its task, what people said and what a decision point asks about are never left out, "
    "and they take more than the agent's context_tokens, or than the smallest of its models takes. Raise them, "
    "then go on, or stop the run.",
    {},
)


@dataclass(frozen=True)
class ModelSteps:
    """One model call of a run; `point`: the decision point of a workflow that it is made for."""

    lease: Lease
    run: Run
    agent: Agent
    journal: Journal
    point: DecisionPoint | None = None

    def advance(self) -> bool:
        """Make the next model call; True when the run goes on."""
        context = self._context()
        rebuilt = context.request
        step = self.journal.begun_model_call
        # A call that was interrupted is repeated as it was made, whatever was deployed since.
        request = rebuilt if step is None else requests_of(self.journal.steps, [step.seq])[step.seq]
        if step is None:
            cap = cap_of_call(self.agent, self.run, request, self._chain)
            if cap is not None:
                return budget(self.lease, self.run, self.journal, cap)
            if not context.fits:
                return attention(self.lease, self.run, self.journal, CONTEXT_FULL)
            model = self._chain[0].name
            step = begin_model_call(
                self.lease,
                earlier=self.journal,
                model=model,
                request=request,
                instead_of=self._left(model),
                notes=context.notes,
            )
            if step is None:
                return True
            return self.ask(step, request)
        try:
            too_often = self._interrupted(step, digest_of(rebuilt))
        except SwitchedOff:
            return True
        if too_often:
            error = ModelError(
                "interrupted", "The process died during this call, again and again.", False
            )
            return self._give_up(step, error)
        return self.ask(step, request)

    def _context(self) -> Context:
        window = window_of(self._chain)
        if self.point is not None:
            return self.point.context(self.journal, window)
        return build_context(self.agent, self.run, self.journal.steps, window=window)

    def ask(self, step: Step, request: Mapping[str, Any]) -> bool:
        """Make the call that was begun as this step; True when the run goes on."""
        with spans.step(step):
            return self._ask(step, request)

    def _ask(self, step: Step, request: Mapping[str, Any]) -> bool:
        failed: list[ModelError] = []
        for endpoint in self._chain:
            try:
                with renewer.within(self.lease, longest(endpoint)):
                    reply = ask(endpoint, request, on_failure=self._journal(step, endpoint.name))
            except ModelError as error:
                failed.append(error)
                continue
            except SwitchedOff:
                return True
            return self._take(step, reply)
        return self._give_up(step, _worth_waiting_for(failed))

    @property
    def _chain(self) -> Sequence[Endpoint]:
        return chain_of(self.agent, self.journal)

    def _left(self, model: str) -> str:
        """The model whose place this one takes; empty where the one that was asked last is asked again."""
        chain, asked = self._chain, [s for s in self.journal.steps if s.kind == StepKind.MODEL]
        before = asked[-1].name if asked else model
        shorter = len(chain) < len(endpoints_of(self.agent))
        return before if shorter and before not in {each.name for each in chain} else ""

    def _interrupted(self, step: Step, rebuilt_digest: str) -> bool:
        """Journal that a process died during the call; True when that happened too often.

        Where the request would be another one by now, its digest stands in the attempt.
        """
        attempt = dict(INTERRUPTED)
        if rebuilt_digest != step.input_digest:
            attempt["rebuilt_digest"] = rebuilt_digest
        record_attempt(self.lease, step, attempt)
        count = sum(attempt["code"] == "interrupted" for attempt in step.attempts)
        return bool(count > MOST_INTERRUPTIONS)

    def _journal(self, step: Step, model: str) -> Callable[[ModelError], None]:
        def failed(error: ModelError) -> None:
            attempt = {**describe_failure(error), "model": model}
            try:
                record_attempt(self.lease, step, attempt)
            except SwitchedOff:
                # It is asked anew once the switch is lifted; no further attempt is made until then.
                fail_model_call(self.lease, step, error)
                raise

        return failed

    def _take(self, step: Step, reply: Reply) -> bool:
        ended = False
        if self.point is None:
            ended = record_reply(
                self.lease, step, reply, self.agent, self.journal, stands=self._stands
            )
        else:
            record_decision(self.lease, step, reply, self.point)
        reached("reply.committed")
        return not ended

    def _stands(self, run: Run, ending: Step) -> bool:
        """Whether nobody has to look at this ending of the run, as it is now."""
        if run.agent_version_id != self.run.agent_version_id:
            return False
        return ending.kind == StepKind.ABSTAIN or stands(self.agent, run, ending, self.journal)

    def _give_up(self, step: Step, error: ModelError) -> bool:
        fail_model_call(self.lease, step, error)
        config = settings.COUNTERSIGN
        if error.retryable and self.run.sleeps < config.model_sleeps:
            seconds = config.model_sleep_seconds * 2**self.run.sleeps
            sleep(self.lease, seconds=min(LONGEST_SLEEP_SECONDS, error.retry_after or seconds))
            return False
        earlier = [other for other in self.journal.steps if other.pk != step.pk]
        journal = Journal([*earlier, step])
        trouble = Trouble(
            error.code,
            "the model cannot be used",
            f"{error.message} Nothing is lost: mend it, then go on; or stop the run.",
            {"Attempts": str(len(step.attempts))},
        )
        return attention(self.lease, self.run, journal, trouble)


def _worth_waiting_for(failed: Sequence[ModelError]) -> ModelError:
    """Of how the models of a chain failed, what passes soonest; else how the last one did."""
    passing = [error for error in failed if error.retryable]
    return min(passing, key=lambda error: error.retry_after or 0.0) if passing else failed[-1]
