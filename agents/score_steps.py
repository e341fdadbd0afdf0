"""Gathering the scores that a policy asks for, one model call after the other, then asking the gate.

A score that cannot be had is journalled as missing, which counts as zero where it decides: no failure here
stops the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from agents import spans
from agents.agreement import agreeing
from agents.conversations import requests_of
from agents.definitions import Agent
from agents.errors import SwitchedOff
from agents.gathering import Wanted, wanted_next
from agents.journal import Journal
from agents.leases import renewer
from agents.llm_types import Endpoint, ModelError, Reply
from agents.model_calls import ask, chain_of, longest, verifiers_of
from agents.model_steps import MOST_INTERRUPTIONS
from agents.models import Run, Step
from agents.people_steps import budget
from agents.services.call_model import INTERRUPTED, describe_failure, record_attempt
from agents.services.claim import Lease
from agents.services.gather_score import begin_score, finish_score
from agents.services.judge_reply import judge_reply
from agents.states import StepKind
from agents.verifier import build_review, read_review
from agents.weighing import cap_of_call
from approvals.services.policies import current
from audit.fault_points import reached

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ScoreSteps:
    """The scores of the newest reply's calls."""

    lease: Lease
    run: Run
    agent: Agent
    journal: Journal

    def advance(self) -> bool:
        """Make the next call, or ask the gate when all scores are there; True when the run goes on.

        A call that a kill switch interrupts is made again once that is lifted.
        """
        try:
            return self._advance()
        except SwitchedOff:
            log.info("score_held_back", run=str(self.run.pk))
            return True

    def _advance(self) -> bool:
        begun = next((s for s in self.journal.unsettled if s.kind == StepKind.SCORE), None)
        if begun is not None:
            self._resume(begun)
            return True
        wanted = wanted_next(self.agent, current().policy.scores, self.journal)
        if wanted is None:
            judge_reply(self.lease, self.agent, self.journal)
            reached("judgement.committed")
            return True
        request = self._request(wanted)
        cap = cap_of_call(self.agent, self.run, request, self._endpoints(wanted.source))
        if cap is not None:
            return budget(self.lease, self.run, self.journal, cap)
        step = begin_score(self.lease, earlier=self.journal, wanted=wanted, request=request)
        if step is not None:
            reached("score.begun", of=step.name)
            self._make(step, request)
        return True

    def _resume(self, step: Step) -> None:
        """Make a call again that a process died in, unless that happened too often."""
        record_attempt(self.lease, step, dict(INTERRUPTED))
        count = sum(attempt["code"] == "interrupted" for attempt in step.attempts)
        if count > MOST_INTERRUPTIONS:
            self._finish(step, None, {"problem": "interrupted"})
            return
        asked = step.request or {}
        sample = int(asked.get("sample", 0))
        wanted = Wanted("agreement" if sample else "verifier", int(asked["of"]), sample)
        self._make(step, asked.get("sent") or self._request(wanted))

    def _request(self, wanted: Wanted) -> dict[str, Any]:
        if wanted.source == "agreement":
            made: dict[str, Any] = requests_of(self.journal.steps, [wanted.of])[wanted.of]
            # Told apart from the first one, so that no cache in between gives that answer again.
            return {**made, "seed": wanted.sample}
        call = self.journal.step(wanted.of)
        tool = self.agent.tool(call.name)
        assert tool is not None, "a score is wanted of installed tools only"
        return build_review(self.run, self.journal.steps, call, tool)

    def _make(self, step: Step, request: dict[str, Any]) -> None:
        verifies = step.name == "verifier"
        with spans.step(step):
            self._make_it(step, request, verifies=verifies)

    def _make_it(self, step: Step, request: dict[str, Any], *, verifies: bool) -> None:
        try:
            reply = self._ask(step, request, self._endpoints(step.name))
        except ModelError as error:
            self._finish(step, None, {"problem": error.code})
            return
        self._finish(step, reply, _review(reply) if verifies else self._compare(reply))

    def _endpoints(self, source: str) -> list[Endpoint]:
        return (
            verifiers_of(self.agent) if source == "verifier" else chain_of(self.agent, self.journal)
        )

    def _ask(self, step: Step, request: dict[str, Any], endpoints: Sequence[Endpoint]) -> Reply:
        *others, last = [replace(endpoint, log_probabilities=False) for endpoint in endpoints]
        for endpoint in others:
            try:
                return self._ask_one(step, request, endpoint)
            except ModelError:
                # Journalled as an attempt; the next one may answer.
                continue
        return self._ask_one(step, request, last)

    def _ask_one(self, step: Step, request: dict[str, Any], endpoint: Endpoint) -> Reply:
        with renewer.within(self.lease, longest(endpoint)):
            return ask(endpoint, request, on_failure=self._journal(step, endpoint.name))

    def _journal(self, step: Step, model: str) -> Callable[[ModelError], None]:
        def failed(error: ModelError) -> None:
            record_attempt(self.lease, step, {**describe_failure(error), "model": model})

        return failed

    def _compare(self, reply: Reply) -> dict[str, Any]:
        return {"agrees": agreeing(self.agent, reply, self.journal.unjudged), "problem": ""}

    def _finish(self, step: Step, reply: Reply | None, output: dict[str, Any]) -> None:
        finish_score(self.lease, step, reply, output)
        reached("score.committed", of=step.name)


def _review(reply: Reply) -> dict[str, Any]:
    review = read_review(reply)
    if review is None:
        return {"problem": "malformed"}
    return {"score_bp": review.score_bp, "objections": review.told(), "problem": ""}
