"""What a scenario answers to the calls of its run, in place of tools and people. Pure.

Which answers and decisions were used is read from the journal, so that a run that another process takes up goes on
as it would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import JsonValue

from agents.call_steps import TOLD
from agents.context import refusal_message
from agents.models import Step
from agents.simulation import Asked, Simulated, source_of
from agents.states import StepKind, StepState
from evaluations.checks import Problem
from evaluations.matching import Strict, at, fits, shown
from evaluations.schemas import Arguments, Word
from evaluations.vocabulary import QUESTION

SCENARIO: Final = "scenario"
_STATUS: Final = {"reject": "rejected", "send_back": "sent_back"}


class Prepared(Strict):
    """An answer of a tool as its agent reads it: `output` and `state` are those of a step."""

    when: Arguments
    state: Literal["succeeded", "failed"]
    output: dict[str, JsonValue]
    problem: str = ""
    always: bool = False


class Script(Strict):
    """A case's answers and decisions, ready for the engine."""

    tools: dict[str, list[Prepared]]
    people: list[Word]


@dataclass(frozen=True)
class Scenario:
    """Answers the calls of one run from its script; `steps` is the run's journal."""

    script: Script
    steps: Sequence[Step]

    def answer(self, asked: Asked) -> Simulated | None:
        """What comes of this call; None where the scenario has nothing for it, or says that nobody decides."""
        word: Word | None = None
        source: dict[str, Any] = {"from": SCENARIO}
        if asked.reviewed:
            found = self._word(asked)
            if found is None or self.script.people[found].decide == "wait":
                return None
            word, source = self.script.people[found], {**source, "word": found}
            if word.decide == "answer":
                told = {"status": "answered", "answer": word.answer}
                return Simulated(StepState.SUCCEEDED, told, source=source)
            if word.decide in _STATUS:
                return _turned_down(word, source)
        edited = word.arguments if word is not None and word.decide == "edit" else None
        arguments = asked.arguments if edited is None else edited
        place = self._answer(asked.name, arguments)
        if place is None:
            return None
        given = self.script.tools[asked.name][place]
        output = dict(given.output)
        if edited is not None and word is not None:
            output |= _edited(edited, word.reason)
        return Simulated(
            StepState(given.state),
            output,
            given.problem,
            {**source, "given": place},
            arguments=edited,
        )

    def lacks(self, asked: Asked) -> Problem | None:
        """Why there was no answer to this call; None where the scenario says that it waits for a person."""
        if asked.reviewed:
            found = self._word(asked)
            if found is None:
                return Problem("undecided", {"what": named(asked)})
            if self.script.people[found].decide == "wait":
                return None
        return Problem("unanswered", {"call": named(asked)})

    def _word(self, asked: Asked) -> int | None:
        on = QUESTION if asked.kind == StepKind.QUESTION else asked.name
        used = self._used("word")
        for place, word in enumerate(self.script.people):
            is_left = word.always or place not in used
            if word.on == on and is_left and _fit(word.when, asked.arguments):
                return place
        return None

    def _answer(self, tool: str, arguments: Mapping[str, Any]) -> int | None:
        used = self._used("given", tool)
        for place, given in enumerate(self.script.tools.get(tool, ())):
            if (given.always or place not in used) and _fit(given.when, arguments):
                return place
        return None

    def _used(self, what: str, tool: str | None = None) -> set[int]:
        sources = (source_of(step) for step in self.steps if tool in (None, step.name))
        return {source[what] for source in sources if what in source}


def scenario(script: Mapping[str, Any], steps: Sequence[Step]) -> Scenario:
    """What answers a run, from the script that is kept with it."""
    return Scenario(Script.model_validate(script), steps)


def named(asked: Asked) -> str:
    """A call for people to read."""
    inner = ", ".join(f"{name}: {shown(value)}" for name, value in asked.arguments.items())
    return f"{asked.name}({inner})"


def _fit(when: Arguments, arguments: Mapping[str, Any]) -> bool:
    return all(fits(expected, *at(path, arguments)) for path, expected in when.items())


def _turned_down(word: Word, source: Mapping[str, Any]) -> Simulated:
    status = _STATUS[word.decide]
    more = {"feedback": word.reason} if word.reason else {}
    output = refusal_message(status, status, TOLD[status], **more)
    return Simulated(StepState.REFUSED, output, status, source)


def _edited(arguments: Mapping[str, Any], why: str) -> dict[str, Any]:
    return {
        "edited_by_a_person": True,
        "arguments_that_ran": dict(arguments),
        "note": "A person changed this call before it ran. It is done; do not repeat the original.",
        **({"why": why} if why else {}),
    }
