"""States of runs, steps and effects, and which may follow which. Pure."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Where a run stands. `paused_at` and `cancel_requested_at` are flags beside it."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SLEEPING = "sleeping"
    READY = "ready"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """A step is inserted once and finished once."""

    STARTED = "started"
    """A model call whose reply is not journalled yet."""
    UNJUDGED = "unjudged"
    """A call of a reply whose scores are being gathered; the gate has not been asked yet."""
    PROPOSED = "proposed"
    """A call of a reply that the gate allowed or sent to review, not begun."""
    WAITING = "waiting"
    """A request is open for it, or the run that it started is under way."""
    DISPATCHED = "dispatched"
    """Its dispatch intent is committed; whether the effect happened is not known yet."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    """Denied by the gate or by a person, or lapsed; it never ran."""


class StepKind(StrEnum):
    MODEL = "model"
    SCORE = "score"
    """A further model call that gathers a score of a proposed call: `verifier` or `agreement`."""
    STATE = "state"
    """A state of a workflow was entered: what its code decided."""
    DECISION = "decision"
    """What a model answered at a decision point of a workflow."""
    ROUTE = "route"
    """A model call that picks where on the chain the run begins, and with which tools."""
    TOOL = "tool"
    DELEGATE = "delegate"
    """A call that starts a run of another agent, and waits for what comes of it."""
    QUESTION = "question"
    ABSTAIN = "abstain"
    FINAL = "final"
    BUDGET = "budget"
    ATTENTION = "attention"
    IN_DOUBT = "in_doubt"
    MESSAGE = "message"
    """What a person told the run."""
    GOAL = "goal"
    """A person changed what the run is for."""
    HAND_BACK = "hand_back"
    """A person took over; the run stands still until they hand it back."""
    SIMULATION = "simulation"
    """From here on the run is simulated; of a fork, all before was copied."""


class MessageKind(StrEnum):
    """What a person may tell a run."""

    MESSAGE = "message"
    GOAL = "goal"
    TAKE_OVER = "take_over"


class EffectState(StrEnum):
    READY = "ready"
    DISPATCHED = "dispatched"
    SUCCEEDED = "succeeded"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    BOUNCED = "bounced"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"


class SwitchScope(StrEnum):
    """How much a kill switch holds."""

    GLOBAL = "global"
    AGENT = "agent"
    AGENT_TOOL = "agent_tool"
    """One tool of one agent."""
    TOOL = "tool"
    """One tool, whichever agent calls it."""


class Unanswered(StrEnum):
    """What becomes of a call of a simulated run that nothing answers."""

    SIMULATE = "simulate"
    """The agent is told that it was only simulated, and goes on."""
    END = "end"
    """The run ends, and says which call it was."""


class Outcome(StrEnum):
    """How a run that ended turned out."""

    DONE = "done"
    ABSTAINED = "abstained"
    STOPPED = "stopped"
    FAILED = "failed"


R = RunState
RUN_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    R.QUEUED: frozenset({R.RUNNING, R.CANCELLED}),
    R.RUNNING: frozenset({R.WAITING, R.SLEEPING, R.READY, R.SUCCEEDED, R.FAILED, R.CANCELLED}),
    R.WAITING: frozenset({R.READY, R.CANCELLED}),
    R.SLEEPING: frozenset({R.READY, R.CANCELLED}),
    R.READY: frozenset({R.RUNNING, R.WAITING, R.CANCELLED}),
    R.SUCCEEDED: frozenset(),
    R.FAILED: frozenset(),
    R.CANCELLED: frozenset(),
}

S = StepState
STEP_TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    S.STARTED: frozenset({S.SUCCEEDED, S.FAILED}),
    S.UNJUDGED: frozenset({S.PROPOSED, S.FAILED, S.REFUSED}),
    S.PROPOSED: frozenset({S.WAITING, S.DISPATCHED, S.SUCCEEDED, S.FAILED, S.REFUSED}),
    S.WAITING: frozenset({S.DISPATCHED, S.SUCCEEDED, S.FAILED, S.REFUSED}),
    S.DISPATCHED: frozenset({S.WAITING, S.SUCCEEDED, S.FAILED}),
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.REFUSED: frozenset(),
}

E = EffectState
EFFECT_TRANSITIONS: dict[EffectState, frozenset[EffectState]] = {
    E.READY: frozenset({E.DISPATCHED}),
    E.DISPATCHED: frozenset({E.SUCCEEDED, E.ACCEPTED, E.FAILED, E.IN_DOUBT}),
    E.IN_DOUBT: frozenset({E.SUCCEEDED, E.FAILED}),
    E.ACCEPTED: frozenset({E.CONFIRMED, E.BOUNCED}),
    E.SUCCEEDED: frozenset(),
    E.CONFIRMED: frozenset(),
    E.BOUNCED: frozenset(),
    E.FAILED: frozenset(),
}

PEOPLE = frozenset({StepKind.BUDGET, StepKind.ATTENTION, StepKind.IN_DOUBT, StepKind.HAND_BACK})
"""Steps that only a person can settle."""
HOLDING = frozenset({StepKind.BUDGET, StepKind.ATTENTION, StepKind.HAND_BACK})
"""Of these, the ones that hold the whole run: nothing else of it goes on until they are settled."""
PROPOSING = frozenset({StepKind.MODEL, StepKind.STATE})
"""Steps that calls come from: the model's reply, or the state of a workflow, right before them."""
ENDED = frozenset(state for state, following in RUN_TRANSITIONS.items() if not following)
OPEN = frozenset(RunState) - ENDED
CLAIMABLE = frozenset({R.QUEUED, R.READY})
ACTIVE = frozenset({R.QUEUED, R.READY, R.RUNNING, R.SLEEPING})
"""Under way or in line: nothing is asked of a person."""
SETTLED = frozenset(state for state, following in STEP_TRANSITIONS.items() if not following)


STOPPABLE = frozenset({S.PROPOSED, S.WAITING, S.DISPATCHED})
"""States of a call that a kill switch may hold."""


def run_sources(target: RunState) -> frozenset[RunState]:
    """The states from which a run may move to `target`."""
    return frozenset(state for state, following in RUN_TRANSITIONS.items() if target in following)


def step_sources(target: StepState) -> frozenset[StepState]:
    """The states from which a step may move to `target`."""
    return frozenset(state for state, following in STEP_TRANSITIONS.items() if target in following)


def effect_sources(target: EffectState) -> frozenset[EffectState]:
    """The states from which an effect may move to `target`."""
    return frozenset(
        state for state, following in EFFECT_TRANSITIONS.items() if target in following
    )
