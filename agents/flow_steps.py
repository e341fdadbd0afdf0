"""A workflow's turn: enter the next state, ask the model at a decision point, or ask a person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from agents import spans
from agents.decisions import DecisionPoint
from agents.definitions import Agent
from agents.drift import Trouble
from agents.flow_journal import Decide, Enter, GiveUp, context_of, newest_state, place_of
from agents.flow_moves import Entry, UnfitMove, entry_of, given_up
from agents.foreign_errors import told_of_state
from agents.journal import Journal
from agents.leases import renewer
from agents.model_steps import ModelSteps
from agents.models import Run
from agents.people_steps import attention
from agents.services.claim import Lease
from agents.services.record_state import record_state
from agents.tool_threads import threads
from audit.fault_points import reached

log = structlog.get_logger(__name__)

STATE_SECONDS: Final = 10.0
"""How long a state may take: it only looks at what is known and decides."""


@dataclass(frozen=True)
class FlowSteps:
    """The machine of one run; none of its calls is open."""

    lease: Lease
    run: Run
    agent: Agent
    journal: Journal

    def advance(self) -> bool:
        """Do the next thing; True when the run goes on now."""
        assert self.agent.flow is not None, "only a workflow has states"
        place = place_of(self.agent.flow, self.journal)
        match place:
            case Trouble():
                return attention(self.lease, self.run, self.journal, place)
            case Decide(at):
                answer = self.agent.flow.states[at.name].asks
                assert answer is not None, "its state asked the model"
                point = DecisionPoint(self.agent, at, answer)
                return ModelSteps(self.lease, self.run, self.agent, self.journal, point).advance()
            case GiveUp(reason):
                refused = newest_state(self.journal)
                assert refused is not None, "something was refused"
                return self._record(given_up(refused.name, reason))
            case Enter(state):
                return self._enter(state)

    def _enter(self, name: str) -> bool:
        try:
            with spans.state(name), renewer.within(self.lease, STATE_SECONDS):
                entry = threads.call(STATE_SECONDS, partial(self._entry, name))
        # An author's code; whatever it raises, a person looks, and it is asked again only after that.
        except Exception as error:
            told = told_of_state(self.agent.tools, error)
            log.warning("state_failed", run=str(self.run.pk), state=name, exc_info=told)
            trouble = _failed(name, error)
            return attention(self.lease, self.run, self.journal, trouble)
        return self._record(entry)

    def _entry(self, name: str) -> Entry:
        assert self.agent.flow is not None, "only a workflow has states"
        state = self.agent.flow.states[name]
        ctx = context_of(self.agent, self.run, self.journal, name)
        return entry_of(self.agent, state, state.function(ctx), self.journal)

    def _record(self, entry: Entry) -> bool:
        record_state(self.lease, self.agent, self.journal, entry)
        reached("state.committed", of=entry.state)
        return True


def _failed(state: str, error: Exception) -> Trouble:
    """What is said of it: an author's sentence where it is ours, else only the kind of error, since its text
    may repeat what not everybody may see."""
    what = str(error) if isinstance(error, UnfitMove) else type(error).__name__
    return Trouble(
        "state_failed",
        "a state of its workflow failed",
        "Nothing was done. Look at the logs and mend it, then go on: the state is asked again. Or stop the run.",
        {"State": state, "What went wrong": what},
    )
