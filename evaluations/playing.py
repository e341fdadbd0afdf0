"""Playing a suite: each case is a simulated run of the real engine, advanced in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import monotonic
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.callers import Caller
from agents import registry
from agents.bound import bind
from agents.claims import false_claims
from agents.definitions import Agent
from agents.model_calls import endpoints_of, longest
from agents.models import AgentVersion, Run, Step
from agents.runner import advance
from agents.services.control import cancel_run
from agents.services.keep_variant import keep_variant
from agents.simulation import asked_by
from agents.states import RunState, StepKind
from agents.sweep import sweep_run
from audit.clock import database_now
from audit.errors import Refusal
from evaluations.checks import Problem, problems_of
from evaluations.errors import NotPlayable
from evaluations.models import CaseResult, Evaluation
from evaluations.observed import WAITING, Observed, observe
from evaluations.preparing import prepare
from evaluations.schemas import Case, Suite
from evaluations.script import scenario
from evaluations.services.begin_evaluation import LEAST_LEASE_SECONDS
from evaluations.services.finish_evaluation import finish_evaluation
from evaluations.services.record_case import (
    Turn,
    begin_case,
    finish_case,
    refuse_case,
    still_playing,
)
from evaluations.vocabulary import CaseState

OWNER: Final = "evaluate"
LOOK_EVERY_SECONDS: Final = 0.1
#: Without a step forward, a case is given up after that: its model or its agent is away.
PATIENCE_SECONDS: Final = 120.0
RUN_ENDED: Final = "run_ended"
Hears = Callable[[CaseResult], None]


class Stopped(Exception):
    """A person asked this process to stop."""


@dataclass
class Player:
    """Plays one evaluation. `stopping` says whether the process is asked to stop; `patience_seconds`, how long a
    case may stand still; `heard` is told of every case that is done."""

    evaluation: Evaluation
    caller: Caller
    stopping: Callable[[], bool] = lambda: False
    heard: Hears = lambda result: None
    patience_seconds: float = PATIENCE_SECONDS
    _told_at: float = field(default_factory=monotonic)
    _ours: bool = True

    def play(self) -> Evaluation:
        """Play what is missing, and end the evaluation. Raises Stopped, NotPlayable."""
        version = played_version(self.evaluation)
        agent = agent_of(self.evaluation.agent.slug, version)
        for turn in self._missing():
            self.heard(self._play(turn, version, agent))
        return finish_evaluation(self.evaluation)

    def _missing(self) -> Iterator[Turn]:
        suite = Suite.model_validate(self.evaluation.suite_document)
        done = set(
            self.evaluation.results.exclude(state=CaseState.PLAYING).values_list("place", "attempt")
        )
        for attempt in range(1, self.evaluation.repeat + 1):
            for place, case in enumerate(suite.cases):
                if (place, attempt) not in done:
                    yield Turn(place, attempt, case)

    def _play(self, turn: Turn, version: AgentVersion, agent: Agent) -> CaseResult:
        self._be_alive()
        ready = prepare(turn.case, agent, at=database_now())
        if ready.problems:
            return refuse_case(self.evaluation, turn, ready.problems)
        try:
            result = begin_case(
                self.evaluation, turn, ready.script, version=version, caller=self.caller
            )
        except NotPlayable:
            raise
        except Refusal as refusal:
            return refuse_case(self.evaluation, turn, [Problem("stuck", {"why": refusal.detail})])
        if result.run_id is None:
            return refuse_case(
                self.evaluation, turn, [Problem("stuck", {"why": "its run is gone"})]
            )
        why = self._advance(result.run_id)
        run = Run.objects.select_related("agent", "agent_version").get(pk=result.run_id)
        steps = list(Step.objects.filter(run=run).in_order())
        seen = seen_of(run, steps, agent)
        if why is not None:
            state, problems = CaseState.BROKEN, [Problem("stuck", {"why": why})]
        else:
            problems = judge(turn.case, run, steps, seen, result.script, agent)
            state = CaseState.FAILED if problems else CaseState.PASSED
        models = sorted({step.model for step in steps if step.model})
        return finish_case(
            self.evaluation, result, state=state, problems=problems, seen=seen, models=models
        )

    def _advance(self, run_id: UUID) -> str | None:
        """Advance the run to its end; why that could not be, or None. A worker of the product may take it up
        as well, and is waited for."""
        moved, version = monotonic(), -1
        while True:
            advance(run_id, owner=OWNER, stopping=self._stops)
            self._be_alive()
            if self.stopping():
                raise Stopped
            run = Run.objects.get(pk=run_id)
            if run.ended:
                return None
            if run.version != version:
                moved, version = monotonic(), run.version
            if monotonic() - moved > self.patience_seconds:
                why = _why_still(run)
                cancel_run(run_id=run_id, reason=why, caller=self.caller)
                return why
            # What the scheduler does for runs of the product, which need not be there here.
            sweep_run(run_id)
            time.sleep(LOOK_EVERY_SECONDS)

    def _stops(self) -> bool:
        # Called between two steps of a run, which is let go of first and then left alone.
        return not self._is_alive() or self.stopping()

    def _be_alive(self) -> None:
        if not self._is_alive():
            raise NotPlayable("Another process plays it by now, or it was taken for interrupted.")

    def _is_alive(self) -> bool:
        """Say now and then that this process plays; whether the evaluation is still its to play."""
        if self._ours and monotonic() - self._told_at >= 1.0:
            self._told_at = monotonic()
            self._ours = still_playing(self.evaluation, lease_seconds=self._lease_seconds)
        return self._ours

    @cached_property
    def _lease_seconds(self) -> float:
        return lease_seconds(agent_of(self.evaluation.agent.slug, self.evaluation.agent_version))


def played_version(evaluation: Evaluation) -> AgentVersion:
    """The version that runs follow: the evaluation's own, or that with the model which was asked for."""
    version = evaluation.agent_version
    if not evaluation.model:
        return version
    with transaction.atomic():
        return keep_variant(version, model=evaluation.model)


def agent_of(slug: str, version: AgentVersion) -> Agent:
    """The agent as this version has it, with the tools that are installed."""
    return bind(registry.get(slug), version)


def lease_seconds(agent: Agent) -> float:
    """The time that asking all models of the agent in turn may take, and a little more."""
    asking = sum(longest(endpoint) for endpoint in endpoints_of(agent))
    return max(LEAST_LEASE_SECONDS, asking + settings.COUNTERSIGN.lease_seconds)


def seen_of(run: Run, steps: Sequence[Step], agent: Agent) -> Observed:
    """What the run did, with what its answer claims wrongly, and as waiting where it would wait for people."""
    seen = observe(run, steps)
    finals = [step for step in steps if step.kind == StepKind.FINAL and step.arguments]
    claims = [
        f"{claim.says} {claim.journal}"
        for step in finals
        for claim in false_claims(
            step.arguments or {},
            (step.request or {}).get("relies_on") or [],
            agent.asserts,
            [each for each in steps if each.seq < step.seq],
            (),
        )
    ]
    waits = bool((run.failure or {}).get("simulated"))
    return replace(seen, claims=tuple(claims), outcome=WAITING if waits else seen.outcome)


def judge(
    case: Case,
    run: Run,
    steps: Sequence[Step],
    seen: Observed,
    script: dict[str, object],
    agent: Agent,
) -> list[Problem]:
    """Everything that is not as the case expects, and what its scenario does not provide for."""
    lacking = _lacking(run, steps, script, agent)
    if lacking is not None:
        # What the run would have done then is anybody's guess.
        return [lacking]
    return problems_of(case.expect, seen)


def _lacking(
    run: Run, steps: Sequence[Step], script: dict[str, object], agent: Agent
) -> Problem | None:
    if (run.failure or {}).get("code") != "unanswered":
        return None
    open_calls = [
        step
        for step in steps
        if step.problem == RUN_ENDED
        and step.kind in (StepKind.TOOL, StepKind.DELEGATE, StepKind.QUESTION)
    ]
    if not open_calls:
        return None
    step = open_calls[0]
    tool = agent.tool(step.name)
    verdict = ((step.judgement or {}).get("verdict") or {}).get("outcome")
    asked = asked_by(
        step,
        steps,
        consequential=tool is not None and tool.consequential,
        reviewed=step.kind == StepKind.QUESTION or verdict != "allow",
    )
    return scenario(script, steps).lacks(asked)


def _why_still(run: Run) -> str:
    last = Step.objects.filter(run=run).order_by("-seq").first()
    said = str((last.attempts or [{}])[-1].get("message") or "") if last and last.attempts else ""
    if run.state == RunState.SLEEPING:
        return f"its model cannot be reached. {said}".strip()
    return f"its run is {run.state} and nothing goes on. {said}".strip()
