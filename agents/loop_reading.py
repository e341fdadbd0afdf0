"""Reading the turns of a run from its journal, and telling a person of a loop among them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from agents.definitions import Agent
from agents.drift import Trouble, WayOn
from agents.errors_in_a_row import AFRESH
from agents.journal import CALL_KINDS, MALFORMED, Journal
from agents.loops import CYCLE, NO_PROGRESS, SAME_CALL, SAME_ERROR, Loop, Made, find_loop
from agents.models import Step
from agents.states import StepKind, StepState
from agents.wording import brief, plain

OTHER_WAY: Final = "other_way"
ALLOW: Final = "allow"
RESULT_LENGTH: Final = 160
ENDINGS: Final = frozenset({StepKind.FINAL, StepKind.ABSTAIN})
#: What a result says of the moment at which it was read, which differs each time.
PASSING: Final = frozenset({"as_of"})

_OTHER: Final = WayOn(
    OTHER_WAY,
    "Have it find another way",
    "Calls of it that did not run yet are refused. The agent is told that it went round in circles, and what "
    "you write here.",
)
_ALLOW: Final = WayOn(
    ALLOW,
    "Let it repeat this",
    "The same calls are not looked at again as long as this run lasts. Its limits still hold.",
)
_TITLES: Final = {
    SAME_CALL: "it made the same call again and again",
    CYCLE: "it goes round in a circle of calls",
    SAME_ERROR: "it meets the same error again and again",
    NO_PROGRESS: "it gets no further",
}
_SUMMARIES: Final = {
    SAME_CALL: "It asked for {tool} with the same arguments {times} times. The last one has not run."
    " Say how it goes on, or stop it.",
    CYCLE: "It went through the same {times} calls twice and the results were the same."
    " Say how it goes on, or stop it.",
    SAME_ERROR: "{tool} failed {times} times in the same way. Say how the run goes on, or stop it.",
    NO_PROGRESS: "Nothing was done in its last {times} calls: they were refused, or told it what it knew."
    " Say how it goes on, or stop it.",
}
LOOPS: Final = frozenset(_TITLES)


def loop_in(agent: Agent, journal: Journal) -> Loop | None:
    """The loop that the run is in since a person last gave it something new, or None."""
    steps = journal.steps
    begins = next(
        (place for place in range(len(steps) - 1, -1, -1) if steps[place].kind in AFRESH), -1
    )
    return find_loop(_turns(agent, steps[begins + 1 :], _allowed(steps[: begins + 1])))


def trouble_of(loop: Loop, journal: Journal) -> Trouble:
    """The loop as a person is asked about it, with the calls that show it."""
    first = loop.calls[-1]
    times = len(loop.calls) // 2 if loop.kind == CYCLE else len(loop.calls)
    summary = _SUMMARIES[loop.kind]
    if first.settled:
        summary = summary.replace(" The last one has not run.", "")
    repeats = loop.kind in (SAME_CALL, CYCLE)
    return Trouble(
        loop.kind,
        f"{_TITLES[loop.kind]}"
        + ("" if loop.kind in (CYCLE, NO_PROGRESS) else f": {_named(first)}"),
        summary.format(tool=plain(first.name), times=times),
        {f"Step {call.seq}": _shown(journal.step(call.seq)) for call in loop.calls},
        calls=tuple(call.seq for call in loop.calls),
        choices=(_OTHER, _ALLOW) if repeats else (_OTHER,),
    )


def digests_of(trouble_steps: Sequence[Step]) -> list[str]:
    """The digests of these calls."""
    return sorted({step.input_digest for step in trouble_steps if step.input_digest})


def _named(call: Made) -> str:
    return plain(call.name).lower()


def _turns(agent: Agent, steps: Sequence[Step], allowed: frozenset[str]) -> list[list[Made]]:
    turns: list[list[Made]] = []
    for step in steps:
        if step.kind not in CALL_KINDS:
            turns.append([])
        elif _counts(step, allowed):
            if not turns:
                turns.append([])
            turns[-1].append(_made(agent, step))
    return [turn for turn in turns if turn]


def _counts(step: Step, allowed: frozenset[str]) -> bool:
    return (
        bool(step.input_digest)
        and step.undoes_id is None
        and step.problem not in MALFORMED
        and (step.kind not in ENDINGS or step.state == StepState.REFUSED)
        and step.input_digest not in allowed
    )


def _made(agent: Agent, step: Step) -> Made:
    tool = agent.tool(step.name) if step.kind == StepKind.TOOL else None
    output = step.output
    failed = step.state == StepState.FAILED
    return Made(
        seq=step.seq,
        name=step.name,
        digest=f"{step.name} {step.input_digest}",
        outcome=None if output is None else {k: v for k, v in output.items() if k not in PASSING},
        error=_error(output or {}) if failed else "",
        refused=step.state == StepState.REFUSED,
        repeatable=tool.repeatable if tool is not None else 0,
    )


def _error(output: dict[str, Any]) -> str:
    return f"{output.get('code', 'failed')}: {output.get('message', '')}"


def _allowed(steps: Sequence[Step]) -> frozenset[str]:
    """Digests of calls that a person let the run repeat."""
    return frozenset(
        digest
        for step in steps
        if step.kind == StepKind.ATTENTION
        for digest in (step.output or {}).get("allowed", ())
    )


def _shown(step: Step) -> str:
    """A call in a line: what was asked for, and what came of it."""
    output = step.output or {}
    match step.state:
        case StepState.SUCCEEDED:
            came = brief(output.get("result", output.get("answer", "done")), RESULT_LENGTH)
        case StepState.FAILED | StepState.REFUSED:
            came = brief(output.get("message", "not done"), RESULT_LENGTH)
        case _:
            came = "did not run yet"
    return f"{plain(step.name)} ({brief(step.arguments or {})}): {came}"
