"""What a final answer asserts by its fields: declared by the author, checked against the journal. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from agents.mistakes import Mistake
from agents.tools import Tool

#: Names that the engine adds to every answer, or takes off it.
RESERVED: Final = frozenset({"relies_on", "done"})
JUDGED: Final = frozenset({"confidence", "rationale"})
Plain = str | int | bool | None


@dataclass(frozen=True)
class Asserts:
    """An answer whose fields hold these values says that a call of `tool` was done.

    `when`: values by field of the answer, as JSON writes them; all of the fields must hold one of theirs.
    Without it every answer asserts the call. `same`: fields of the answer by name, each with the field of the
    tool's result that it repeats; None in the answer repeats nothing.
    """

    tool: Tool
    when: Mapping[str, Collection[Plain]] = field(default_factory=dict)
    same: Mapping[str, str] = field(default_factory=dict)

    def made_by(self, answer: Mapping[str, Any]) -> bool:
        """Whether this answer asserts it."""
        return all(
            any(_equal(answer.get(name), value) for value in values)
            for name, values in self.when.items()
        )

    def describe(self) -> dict[str, Any]:
        """What an agent version records of it; canonical JSON types only."""
        return {
            "tool": self.tool.name,
            "when": {name: _sorted(values) for name, values in self.when.items()},
            "same": dict(self.same),
        }


def mistakes_of_answer(
    agent: str,
    tools: Collection[Tool],
    output: type[BaseModel],
    asserts: Collection[Asserts],
    threshold: float | None,
) -> Iterator[Mistake]:
    """Why the answer of an agent cannot be checked as declared."""
    taken = RESERVED | (JUDGED if threshold is not None else frozenset())
    for name in sorted(taken & set(output.model_fields)):
        yield Mistake(
            "agents.E027",
            f"Agent {agent}: {name} is added to every final answer.",
            f"Rename the field of {output.__name__}.",
        )
    if threshold is not None and not 0 <= threshold <= 1:
        yield Mistake(
            "agents.E028",
            f"Agent {agent}: its answer_threshold is {threshold}.",
            "Give a number between 0 and 1.",
        )
    for each in asserts:
        for what, hint in _mistaken(tools, output, each):
            yield Mistake("agents.E029", f"Agent {agent}: {what}", hint, each.tool.where)


def _mistaken(
    tools: Collection[Tool], output: type[BaseModel], asserted: Asserts
) -> Iterator[tuple[str, str]]:
    tool, fields = asserted.tool, ", ".join(output.model_fields)
    if tool not in tools:
        yield f"its answer asserts {tool.name}, which is none of its tools.", "Add it to tools."
    for name in dict.fromkeys((*asserted.when, *asserted.same)):
        if name not in output.model_fields:
            yield (
                f"Asserts({tool.name}) names {name}, which its output does not have.",
                f"The fields of {output.__name__} are {fields}.",
            )
    for name, values in asserted.when.items():
        if isinstance(values, str) or not values:
            yield (
                f"Asserts({tool.name}) does not say which values of {name} assert it.",
                f'Give a list of values, such as when={{"{name}": ["done"]}}.',
            )
    known = _fields(tool)
    for name in asserted.same.values():
        if known and name not in known:
            yield (
                f"Asserts({tool.name}) names {name}, which the tool's result does not have.",
                f"The fields of the result are {', '.join(sorted(known))}.",
            )


def _fields(tool: Tool) -> set[str]:
    """Fields of the tool's result; none where it is no object of known fields."""
    schema = tool.result.json_schema(mode="serialization")
    definitions = schema.get("$defs", {})
    parts = [schema, *schema.get("anyOf", ())]
    named = [
        definitions.get(str(part["$ref"]).rpartition("/")[2], {}) if "$ref" in part else part
        for part in parts
    ]
    return {name for part in named for name in part.get("properties", {})}


def _equal(one: Any, other: Any) -> bool:
    """As JSON has it: `true` is not 1."""
    return type(one) is type(other) and one == other


def _sorted(values: Collection[Plain]) -> list[Plain]:
    """In one order: a set has another one in every process."""
    return sorted(values, key=lambda value: (type(value).__name__, str(value)))
