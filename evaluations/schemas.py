"""Suites of scenarios, as files and tables keep them. Pure; unknown fields are refused."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import (
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

from evaluations.matching import Expected, Strict
from evaluations.vocabulary import ON_CALLS, ON_QUESTIONS, QUESTION, Decision

MOST_CASES: Final = 500
MOST_ITEMS: Final = 200
LONGEST_TEXT: Final = 20_000
#: Of a JSON Schema: what leads elsewhere, and what may take for ever.
REFUSED_KEYWORDS: Final = frozenset({"$ref", "$dynamicRef", "pattern", "patternProperties"})

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Title = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^\S(.*\S)?$")]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Arguments = dict[str, Expected]
Ended = Literal["succeeded", "failed", "refused", "waiting"]
Gate = Literal["allow", "review", "deny"]


class ToolError(Strict):
    """An answer that is an error. `refused`: trying again would not help; `temporary`: it may."""

    message: Annotated[str, Field(min_length=1, max_length=2_000)]
    kind: Literal["refused", "temporary"] = "refused"


class ToolAnswer(Strict):
    """What a tool answers to a call with these arguments: used once, in the order of the file, or `always`.

    `simulated`: the call counts as done, and the agent is told that nobody knows what it would have given back.
    """

    when: Arguments = Field(default_factory=dict)
    result: JsonValue = None
    error: ToolError | None = None
    simulated: Literal[True] | None = None
    always: bool = False

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        given = ("result" in self.model_fields_set, self.error is not None, self.simulated is True)
        if sum(given) != 1:
            raise ValueError("give one of result, error and simulated: true")
        return self


class Word(Strict):
    """What a person decides where the gate asks for one: on calls of a tool, by its name, or on a `question`.

    Used once, in the order of the file, or `always`. `wait`: nobody decides, and the run goes no further.
    """

    on: Name
    when: Arguments = Field(default_factory=dict)
    decide: Decision
    arguments: dict[str, JsonValue] | None = None
    answer: JsonValue = None
    reason: Annotated[str, Field(max_length=2_000)] = ""
    always: bool = False

    @model_validator(mode="after")
    def _fits_what_is_asked(self) -> Self:
        able = ON_QUESTIONS if self.on == QUESTION else ON_CALLS
        if self.decide not in able:
            raise ValueError(f"{self.on} takes {', '.join(able)}; not {self.decide}")
        needs = {"edit": "arguments", "answer": "answer"}
        for verdict, field in needs.items():
            given = field in self.model_fields_set
            if given and self.decide != verdict:
                raise ValueError(f"{field} goes with decide: {verdict}")
            if self.decide == verdict and not given:
                raise ValueError(f"decide: {verdict} needs {field}")
        if self.decide == "send_back" and not self.reason.strip():
            raise ValueError("decide: send_back needs a reason, which the agent reads")
        return self


class CallExpected(Strict):
    """A call that is expected, or expected not to be made. Arguments that are not named may be anything."""

    tool: Name
    arguments: Arguments = Field(default_factory=dict)
    gate: Gate | None = None
    reasons: Annotated[list[Name], Field(max_length=MOST_ITEMS)] | None = None
    ended: Ended | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_alone(cls, given: Any) -> Any:
        return {"tool": given} if isinstance(given, str) else given


Calls = Annotated[list[CallExpected], Field(max_length=MOST_ITEMS)]


class CallsExpected(Strict):
    """Which calls are made. `in_order`: these, in this order, others may stand between; `exactly`: these and no
    others; `include`: these, in any order; `never`: none like these."""

    in_order: Calls | None = None
    exactly: Calls | None = None
    include: Calls | None = None
    never: Calls | None = None


class Bound(Strict):
    """How much of something: so many, or within bounds."""

    at_least: Annotated[int, Field(ge=0)] | None = None
    at_most: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _exactly(cls, given: Any) -> Any:
        if isinstance(given, int) and not isinstance(given, bool):
            return {"at_least": given, "at_most": given}
        return given

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give a number, at_least or at_most")
        if None not in (self.at_least, self.at_most) and self.at_least > self.at_most:  # type: ignore[operator]
            raise ValueError("at_least is above at_most")
        return self

    def holds(self, amount: int) -> bool:
        """Whether the amount is within it."""
        return (self.at_least is None or amount >= self.at_least) and (
            self.at_most is None or amount <= self.at_most
        )

    @property
    def words(self) -> str:
        """In the words of the file."""
        if self.at_least == self.at_most:
            return str(self.at_least)
        given = {"at_least": self.at_least, "at_most": self.at_most}
        return ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)


class Expectations(Strict):
    """What is expected of a run. What is left out is not looked at, but for `false_claims`, of which none are
    expected, and for calls without an answer and requests without a decision, which always fail a case."""

    outcome: Literal["done", "abstained", "stopped", "failed", "waiting"] | None = None
    answer: dict[str, Expected] = Field(default_factory=dict)
    answer_schema: dict[str, JsonValue] | None = None
    calls: CallsExpected = Field(default_factory=CallsExpected)
    reviews: Bound | None = None
    steps: Bound | None = None
    model_calls: Bound | None = None
    tool_calls: Bound | None = None
    tokens: Bound | None = None
    cost_micros: Bound | None = None
    correctable_errors: Bound | None = None
    false_claims: Bound = Bound(at_most=0)

    @field_validator("answer_schema")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is None:
            return None
        refused = _keywords(schema) & REFUSED_KEYWORDS
        if refused:
            raise ValueError(f"{', '.join(sorted(refused))} is not read here; answer has matches")
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"is no JSON Schema: {error.message}") from error
        return schema


class Case(Strict):
    """One scenario: what an agent is given, what its tools and people answer, and what is expected of it."""

    name: Title
    about: Annotated[str, Field(max_length=2_000)] = ""
    input: Text | dict[str, JsonValue]
    tools: dict[Name, Annotated[list[ToolAnswer], Field(max_length=MOST_ITEMS)]] = Field(
        default_factory=dict
    )
    people: Annotated[list[Word], Field(max_length=MOST_ITEMS)] = Field(default_factory=list)
    expect: Expectations


class Suite(Strict):
    """Scenarios for one agent."""

    suite: Slug
    agent: Slug
    about: Annotated[str, Field(max_length=2_000)] = ""
    cases: Annotated[list[Case], Field(min_length=1, max_length=MOST_CASES)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [case.name for case in self.cases]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two cases are called {', '.join(twice)}; rename one")
        return self


def _keywords(schema: Any) -> set[str]:
    """Every name in a schema, wherever it stands: what is refused is refused as a property's name too."""
    found: set[str] = set()
    rest = [schema]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            found |= value.keys()
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
    return found
