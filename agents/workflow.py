"""Workflows: agents whose next step is decided by code, and a model is asked only at marked points. Pure.

A workflow is a machine of named states. A state is a function of what is known so far, and returns one move:
a call of a tool, a question for the model or for a person, another state, or the end. It is asked once; what
it answered and what came of it is journalled, and whoever goes on reads that instead of asking again.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from textwrap import dedent
from typing import Any, Final, Literal, overload

from pydantic import BaseModel

from agents.mistakes import DefinitionError
from agents.strict_schemas import open_objects
from agents.tools import Tool
from audit.canonical import sha256_hex

STATE_NAME: Final = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
RESERVED: Final = ("confidence", "rationale")
AnswerType = Literal["text", "number", "yes_no", "choice"]


@dataclass(frozen=True)
class Call:
    """Call a tool of the agent; it passes the gate as every call does. `then` comes once it is done.

    `sent_back`: the state that reads a reviewer's feedback; without one a person is asked what now.
    `otherwise`: the state that follows where the call was not done for another reason; without one a refusal
    ends the run, and a failure is shown to a person. `rests_on` names the decision points that the call
    relies on; left out, all that were answered so far. Its confidence is the lowest of theirs, and that of
    code where there are none; `confidence` (0 to 1) can only lower it. `why` is told to the reviewer.
    """

    tool: Tool
    arguments: BaseModel
    then: str
    sent_back: str = ""
    otherwise: str = ""
    rests_on: Sequence[str] | None = None
    confidence: float | None = None
    why: str = ""


@dataclass(frozen=True)
class AskModel:
    """A decision point: the model answers with what the state declares in `asks`, and nothing else.

    `question` is the author's own text; `content` is what it is about (text or JSON), which the model is
    told to take as data.
    """

    question: str
    content: Any
    then: str


@dataclass(frozen=True)
class AskPerson:
    """Ask a person; `then` comes with the answer. `otherwise`: the state that follows when nobody answers
    in time; without one that ends the run."""

    question: str
    then: str
    answer_type: AnswerType = "text"
    choices: Sequence[str] = ()
    otherwise: str = ""


@dataclass(frozen=True)
class Go:
    """Go on to another state; `why` stands in the timeline."""

    then: str
    why: str = ""


@dataclass(frozen=True)
class Done:
    """The end, with the agent's answer.

    `sent_back`: the state that reads what a person says who does not accept the answer; without one a person
    is asked what now.
    """

    output: BaseModel
    sent_back: str = ""


@dataclass(frozen=True)
class Abstain:
    """The end: it cannot be known or done, for this reason."""

    reason: str


Move = Call | AskModel | AskPerson | Go | Done | Abstain


@dataclass(frozen=True)
class Outcome:
    """What came of a state's move.

    `status`: `done` or `accepted` for a call, `decided` for a decision point, `answered` or `no_answer` for a
    question, `went_on`; else why a call was not done, such as `rejected`, `sent_back`, `expired`, `denied` or
    `failed`; `sent_back` for an answer that a person did not accept. `arguments` are those that ran, as JSON;
    `edited`: a person changed them. `confidence` is that of a decision, None for all else.
    """

    state: str
    status: str
    read: Callable[[], Any] = lambda: None
    message: str = ""
    feedback: str = ""
    reason_code: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    edited: bool = False
    confidence: float | None = None
    rationale: str = ""

    @cached_property
    def value(self) -> Any:
        """The tool's result, the model's answer or the person's, as its own type; None without one."""
        return self.read() if self.done else None

    @property
    def done(self) -> bool:
        """Whether the state got what it asked for."""
        return self.status in ("done", "accepted", "decided", "answered", "went_on")


@dataclass(frozen=True)
class FlowContext:
    """All that a state may look at: the run's input and what came of the states before it.

    `results` holds the newest outcome of each state; `last` is that of the state before this one; `said` is
    what people told the run, oldest first; `visits` counts how often this state was entered before.
    """

    input: Any
    results: Mapping[str, Outcome]
    last: Outcome | None
    said: Sequence[str] = ()
    visits: int = 0

    def __getitem__(self, state: str) -> Any:
        """The value that came of a state. Raises KeyError where it has not got one."""
        outcome = self.results[state]
        if not outcome.done:
            raise KeyError(f"{state}: {outcome.status}")
        return outcome.value


StateFunction = Callable[[FlowContext], Move]


@dataclass(frozen=True)
class State:
    """A named state. `to` are the states that it may go on to, `asks` what the model answers with where it
    is a decision point, `ends` whether the run may end here."""

    name: str
    function: StateFunction
    to: tuple[str, ...]
    asks: type[BaseModel] | None
    ends: bool

    @property
    def about(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def describe(self) -> dict[str, Any]:
        """What an agent version records of it; canonical JSON types only."""
        return {
            "name": self.name,
            "about": self.about,
            "to": list(self.to),
            "ends": self.ends,
            "asks": self.asks.model_json_schema() if self.asks else None,
            "source": sha256_hex(_code_of(self).encode()),
        }


class Workflow:
    """A machine of named states. Raise `version` when code changes that its states only call."""

    def __init__(self, *, start: str, version: str = "1") -> None:
        self.start = start
        self.version = version
        self.states: dict[str, State] = {}

    @overload
    def state(self, function: StateFunction) -> StateFunction: ...

    @overload
    def state(
        self,
        *,
        to: Sequence[str] = (),
        asks: type[BaseModel] | None = None,
        ends: bool | None = None,
    ) -> Callable[[StateFunction], StateFunction]: ...

    def state(
        self,
        function: StateFunction | None = None,
        *,
        to: Sequence[str] = (),
        asks: type[BaseModel] | None = None,
        ends: bool | None = None,
    ) -> Any:
        """Declare a function as the state of its name. One that leads nowhere ends the run.

        Raises DefinitionError with what to change.
        """

        def declare(given: StateFunction) -> StateFunction:
            name = given.__name__
            if not STATE_NAME.match(name):
                raise DefinitionError(f"State {name}: name it in lower_snake_case.")
            if name in self.states:
                raise DefinitionError(f"State {name} is declared twice; rename one.")
            if isinstance(to, str):
                raise DefinitionError(f"State {name}: give `to` as a list of names.")
            if asks is not None:
                _check_answer(name, asks)
            ending = not to if ends is None else ends
            self.states[name] = State(name, given, tuple(to), asks, ending)
            return given

        return declare if function is None else declare(function)

    def describe(self) -> dict[str, Any]:
        """The machine's shape, as an agent version records it; canonical JSON types only."""
        return {
            "version": self.version,
            "start": self.start,
            "states": [state.describe() for state in self.states.values()],
        }

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the machine as a whole, each with what to change."""
        if self.start not in self.states:
            yield (
                f"its workflow starts at {self.start}, which is no state",
                f"Declare the state, or start at one of {', '.join(self.states) or 'those you declare'}.",
            )
        for state in self.states.values():
            for name in state.to:
                if name not in self.states:
                    yield (
                        f"its state {state.name} leads to {name}, which is no state",
                        "Declare that state, or take it out of `to`.",
                    )
        if self.start not in self.states:
            return
        reached = self._reach([self.start], {s.name: s.to for s in self.states.values()})
        backwards: dict[str, list[str]] = {}
        for state in self.states.values():
            for name in state.to:
                backwards.setdefault(name, []).append(state.name)
        ending = self._reach([s.name for s in self.states.values() if s.ends], backwards)
        for name in self.states:
            if name not in reached:
                yield (
                    f"its state {name} is never reached",
                    f"Name it in the `to` of a state that leads there from {self.start}, or delete it.",
                )
            elif name not in ending:
                yield (
                    f"its state {name} never comes to an end",
                    "Let it lead to a state that ends, or declare it with `ends=True`.",
                )

    @staticmethod
    def _reach(first: Sequence[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
        found: set[str] = set()
        ahead = list(first)
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead.extend(edges.get(name, ()))
        return found


def _check_answer(name: str, asks: type[BaseModel]) -> None:
    if asks.model_config.get("extra") != "forbid":
        raise DefinitionError(f'State {name}: give {asks.__name__} ConfigDict(extra="forbid").')
    for open_one in open_objects(asks.model_json_schema()):
        raise DefinitionError(
            f'State {name}: give {open_one}, within {asks.__name__}, ConfigDict(extra="forbid").'
        )
    for reserved in RESERVED:
        if reserved in asks.model_fields:
            raise DefinitionError(
                f"State {name}: {reserved} is asked for at every decision point; rename yours."
            )


def _code_of(state: State) -> str:
    """The state's code without comments, layout, decorators and docstring."""
    try:
        tree = ast.parse(dedent(inspect.getsource(state.function)))
    except (OSError, TypeError, SyntaxError) as error:
        raise DefinitionError(
            f"State {state.name}: write it as a function in a module; its code is part of the version."
        ) from error
    made = tree.body[0]
    if not isinstance(made, ast.FunctionDef):
        raise DefinitionError(f"State {state.name}: write it as a plain function.")
    made.decorator_list = []
    if ast.get_docstring(made) is not None:
        made.body = made.body[1:] or [ast.Pass()]
    return ast.unparse(made)
