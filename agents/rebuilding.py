"""What the engine would send to models, and what the code of workflows would decide, at each step of a journal.

As `runner` would find out, from the steps before it, with an agent of today; without a model, a tool or a write. Pure,
but for asking the states of workflows, which only look and decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.utils.translation import gettext

from agents.bound import bind
from agents.context import build_context, task_text
from agents.decisions import DecisionPoint
from agents.definitions import Agent
from agents.drift import Trouble
from agents.flow_journal import Decide, Enter, GiveUp, context_of, newest_state, place_of
from agents.flow_moves import Entry, UnfitMove, entry_of, given_up
from agents.flow_steps import STATE_SECONDS
from agents.journal import Journal
from agents.model_calls import chain_of, endpoints_of, window_of
from agents.models import AgentVersion, Run, Step
from agents.route_steps import routed
from agents.routes import classification
from agents.states import StepKind
from agents.tool_threads import threads
from agents.verifier import build_review
from audit.read_only import read_only


class NotRebuilt(Exception):
    """What was sent, or decided, cannot be made anew; the text says why."""


@dataclass(frozen=True)
class Rebuilder:
    """The steps of a run, in order, and the agent that they are made anew with.

    `versions`: by digest, those that its steps were made under, where each is to be made with its own; else all are
    made with the agent as it is installed.
    """

    run: Run
    installed: Agent
    steps: Sequence[Step]
    versions: Mapping[str, AgentVersion]

    def request(self, step: Step, sent: Callable[[int], Any]) -> Any:
        """What a model would be sent at this step. `sent` gives what was sent, by seq. Raises NotRebuilt."""
        journal, agent = self._before(step)
        match step.kind:
            case StepKind.MODEL:
                return self._conversation(routed(agent, journal), journal)
            case StepKind.ROUTE:
                if agent.route is None or not agent.route.classify:
                    raise NotRebuilt(gettext("Its agent sorts no tasks now."))
                return classification(agent.route, task_text(_goal(journal) or self.run.input))
            case _:
                return self._score(step, routed(agent, journal), journal, sent)

    def entry(self, step: Step) -> Entry:
        """What a workflow's code would decide at this step. Raises NotRebuilt."""
        journal, agent = self._before(step)
        if agent.flow is None:
            raise NotRebuilt(gettext("Its agent is no workflow now."))
        place = place_of(agent.flow, journal)
        match place:
            case Trouble():
                raise NotRebuilt(gettext("It would need a look: {what}.").format(what=place.title))
            case Decide():
                raise NotRebuilt(gettext("The model would be asked here."))
            case GiveUp(reason):
                refused = newest_state(journal)
                assert refused is not None, "something was refused"
                return given_up(refused.name, reason)
            case Enter(name):
                return self._entered(agent, name, journal)

    def agent_at(self, step: Step) -> Agent:
        """The agent that this step is made anew with, as it was before a path was picked."""
        return self._before(step)[1]

    def _before(self, step: Step) -> tuple[Journal, Agent]:
        earlier = [each for each in self.steps if each.seq < step.seq]
        newer = next((each for each in earlier if each.schema > Step.SCHEMA), None)
        if newer is not None:
            raise NotRebuilt(
                gettext("Step {seq} before it was journalled by a newer release.").format(
                    seq=newer.seq
                )
            )
        if not self.versions:
            return Journal(earlier), self.installed
        digest = version_at(self.steps, step.seq, self.run.agent_version.digest)
        version = self.versions.get(digest)
        if version is None:
            raise NotRebuilt(gettext("The version that it was made under is not recorded here."))
        return Journal(earlier), bind(self.installed, version)

    def _conversation(self, agent: Agent, journal: Journal) -> Any:
        window = window_of(chain_of(agent, journal) or endpoints_of(agent))
        if agent.flow is None:
            return build_context(agent, self.run, journal.steps, window=window).request
        at = newest_state(journal)
        if at is None or (at.request or {}).get("move") != "ask_model":
            raise NotRebuilt(gettext("A workflow asks a model at its decision points alone."))
        state = agent.flow.states.get(at.name)
        if state is None or state.asks is None:
            raise NotRebuilt(
                gettext("The workflow has no decision point {name} now.").format(name=at.name)
            )
        return DecisionPoint(agent, at, state.asks).context(journal, window).request

    def _score(
        self, step: Step, agent: Agent, journal: Journal, sent: Callable[[int], Any]
    ) -> dict[str, Any]:
        asked = step.request or {}
        of = int(asked["of"])
        if step.name != "verifier":
            return {**sent(of), "seed": int(asked["sample"])}
        call = journal.step(of)
        tool = agent.tool(call.name)
        if tool is None:
            raise NotRebuilt(
                gettext("The tool {name} is not installed now.").format(name=call.name)
            )
        # The other calls of its reply had no results then.
        before = [each for each in journal.steps if each.seq <= journal.reply_of(call).seq]
        return build_review(self.run, before, _as_proposed(call), tool)

    def _entered(self, agent: Agent, name: str, journal: Journal) -> Entry:
        assert agent.flow is not None, "only a workflow has states"
        state = agent.flow.states[name]

        def ask() -> Entry:
            with read_only():
                told = context_of(agent, self.run, journal, name)
                return entry_of(agent, state, state.function(told), journal)

        try:
            return threads.call(STATE_SECONDS, partial(ask))
        except UnfitMove as error:
            raise NotRebuilt(str(error)) from error
        # An author's code: what it raises may repeat what not everybody may see.
        except Exception as error:
            raise NotRebuilt(
                gettext("Its state {name} fails now ({error}).").format(
                    name=name, error=type(error).__name__
                )
            ) from error


def version_at(steps: Sequence[Step], seq: int, newest: str) -> str:
    """The digest of the version that the step with that seq was made under; `newest`: of the run's last ones."""
    for step in steps:
        if step.seq >= seq and step.output and "was" in step.output:
            return str(step.output["was"])
    return newest


def _goal(journal: Journal) -> str:
    """The task as a person changed it last; empty where nobody did."""
    changed = [step for step in journal.steps if step.kind == StepKind.GOAL]
    return str((changed[-1].request or {}).get("text") or "") if changed else ""


def _as_proposed(call: Step) -> Step:
    """The call before a person changed it: scores are gathered before anybody looks."""
    proposed = ((call.judgement or {}).get("action") or {}).get("arguments")
    if proposed is None or proposed == call.arguments:
        return call
    return Step(
        run_id=call.run_id, seq=call.seq, kind=call.kind, name=call.name, arguments=proposed
    )
