"""Picking a run's path with a model call of its own. Whatever goes wrong, the run goes on with the whole chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from agents import spans
from agents.bound import narrowed
from agents.context import task_text
from agents.definitions import Agent
from agents.endpoints import endpoint_of
from agents.errors import SwitchedOff
from agents.journal import Journal
from agents.leases import renewer
from agents.llm_types import Endpoint, ModelError, Reply
from agents.model_calls import ask, longest
from agents.model_steps import MOST_INTERRUPTIONS
from agents.models import Run, Step
from agents.people_steps import budget
from agents.routes import Path, Route, classification, read_classification
from agents.services.call_model import INTERRUPTED, describe_failure, record_attempt
from agents.services.claim import Lease
from agents.services.gather_route import begin_route, finish_route
from agents.states import StepKind, StepState
from agents.weighing import cap_of_call

log = structlog.get_logger(__name__)


def is_unrouted(agent: Agent, journal: Journal) -> bool:
    """Whether a path is still to be picked: before the first model call, once."""
    if agent.route is None or not agent.route.classify:
        return False
    return all(
        step.kind != StepKind.MODEL
        and not (step.kind == StepKind.ROUTE and step.state == StepState.SUCCEEDED)
        for step in journal.steps
    )


def routed(agent: Agent, journal: Journal) -> Agent:
    """The agent with the tools and the chain of the path that was picked; itself, where none was."""
    picked = [
        step
        for step in journal.steps
        if step.kind == StepKind.ROUTE and step.state == StepState.SUCCEEDED
    ]
    if agent.route is None or not picked:
        return agent
    path = agent.route.path(str((picked[-1].output or {}).get("path") or ""))
    if path is None:
        return agent
    tools = [tool for tool in agent.tools if not path.tools or tool.name in path.tools]
    return narrowed(agent, tools=tools, route=agent.route.along(path))


@dataclass(frozen=True)
class RouteSteps:
    """The one classification of a run."""

    lease: Lease
    run: Run
    agent: Agent
    journal: Journal

    def advance(self) -> bool:
        """Make the call, or make it again; False where it would pass a cap, and the run waits for people."""
        try:
            return self._advance()
        except SwitchedOff:
            log.info("route_held_back", run=str(self.run.pk))
        return True

    @property
    def _route(self) -> Route:
        assert self.agent.route is not None, "a path is picked on a route"
        return self.agent.route

    @property
    def _endpoint(self) -> Endpoint:
        name = self._route.classifier or self._route.entry[0]
        return replace(endpoint_of(name), log_probabilities=False)

    def _advance(self) -> bool:
        begun = next((s for s in self.journal.unsettled if s.kind == StepKind.ROUTE), None)
        if begun is None:
            request = classification(self._route, task_text(self.run.goal or self.run.input))
            cap = cap_of_call(self.agent, self.run, request, [self._endpoint])
            if cap is not None:
                return budget(self.lease, self.run, self.journal, cap)
            step = begin_route(self.lease, earlier=self.journal, request=request)
            if step is not None:
                self._make(step, request)
            return True
        record_attempt(self.lease, begun, dict(INTERRUPTED))
        if sum(attempt["code"] == "interrupted" for attempt in begun.attempts) > MOST_INTERRUPTIONS:
            finish_route(self.lease, begun, None, {"problem": "interrupted"})
            return True
        self._make(begun, (begun.request or {})["sent"])
        return True

    def _make(self, step: Step, request: dict[str, Any]) -> None:
        with spans.step(step):
            self._make_it(step, request)

    def _make_it(self, step: Step, request: dict[str, Any]) -> None:
        endpoint = self._endpoint
        try:
            with renewer.within(self.lease, longest(endpoint)):
                reply = ask(endpoint, request, on_failure=self._journal(step, endpoint.name))
        except ModelError as error:
            finish_route(self.lease, step, None, {"problem": error.code})
            return
        finish_route(self.lease, step, reply, self._read(reply))

    def _read(self, reply: Reply) -> dict[str, Any]:
        path: Path | None = read_classification(self._route, reply.text)
        if path is None:
            return {"problem": "nonsense"}
        left = self._route.along(path)
        return {"path": path.name, "entry": left.entry[0], "tools": list(path.tools)}

    def _journal(self, step: Step, model: str) -> Callable[[ModelError], None]:
        def failed(error: ModelError) -> None:
            record_attempt(self.lease, step, {**describe_failure(error), "model": model})

        return failed
