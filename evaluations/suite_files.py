"""Reading suites from files (YAML, of which JSON is a part) and writing them. Pure, but for reading the file.

Files may come from anywhere: they are bounded in size, depth and number of values; aliases, tags, merge keys and
duplicate keys are refused, so that what a person reads in a file is what it says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from yaml.events import Event
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from audit.canonical import MalformedJson, canonical_bytes, loads_strict
from evaluations.errors import SuiteMalformed, SuiteTooLarge
from evaluations.schemas import Case, Suite

MOST_BYTES: Final = 1_000_000
DEEPEST: Final = 40
MOST_VALUES: Final = 50_000
MOST_ERRORS: Final = 20
SUFFIXES: Final = (".yaml", ".yml", ".json")

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,3})?")
_WORDS: Final[Mapping[str, Any]] = {"null": None, "~": None, "": None, "true": True, "false": False}

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Read:
    """What a file says, and on which line each part of it stands."""

    value: Any
    lines: Mapping[Place, int]

    def place(self, where: Place) -> str:
        """Line and path, as people look for them: `line 12, cases.0.expect`."""
        path: Place = ()
        for part in where:
            # A union names the kind that was tried; the file does not.
            if (*path, part) in self.lines:
                path = (*path, part)
        named = ".".join(str(part) for part in where if not _is_tag(part))
        line = self.lines.get(path)
        return ", ".join(each for each in (f"line {line}" if line else "", named) if each)


class _Stop(Exception):
    """The file says something that is not read; `mark` is where."""

    def __init__(self, node_line: int, what: str) -> None:
        super().__init__(what)
        self.line = node_line
        self.what = what


class _Loader(yaml.SafeLoader):
    """Composes nodes and nothing else; refuses what stands for something that is written elsewhere."""

    depth = 0
    values = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: Event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1 if event.start_mark else 0
        if self.check_event(yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Stop(line, "anchors (&) and aliases (*) are not read; write the value out")
        if getattr(event, "tag", None) is not None:
            raise _Stop(line, "tags (!) are not read; write a plain value")
        self.values += 1
        self.depth += 1
        if self.values > MOST_VALUES:
            raise _Stop(line, f"more than {MOST_VALUES:,} values; split the suite")
        if self.depth > DEEPEST:
            raise _Stop(line, f"nested deeper than {DEEPEST}")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def read_suite_file(path: Path) -> Suite:
    """The suite in a file. Raises SuiteMalformed or SuiteTooLarge, with file, line and what to change."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SuiteMalformed(str(path), [("", error.strerror or str(error))]) from error
    return read_suite(data, source=str(path))


def read_suite(data: bytes, *, source: str) -> Suite:
    """The suite in these bytes. Raises SuiteMalformed or SuiteTooLarge."""
    read = _read(data, source)
    try:
        return Suite.model_validate(read.value)
    except ValidationError as error:
        raise SuiteMalformed(source, _problems(read, error)) from error


def read_case(text: str, *, source: str) -> Case:
    """One case, as a person edits it. Raises SuiteMalformed or SuiteTooLarge."""
    read = _read(text.encode(), source)
    try:
        return Case.model_validate(read.value)
    except ValidationError as error:
        raise SuiteMalformed(source, _problems(read, error)) from error


def case_of(document: Any, *, source: str) -> Case:
    """One case, as JSON. Raises SuiteMalformed."""
    try:
        return Case.model_validate(document)
    except ValidationError as error:
        raise SuiteMalformed(source, _problems(Read(document, {}), error)) from error


def write_suite(suite: Suite) -> str:
    """The suite as a file that `read_suite` reads again."""
    return _dump(as_document(suite))


def write_case(case: Case) -> str:
    """The case as a person edits it."""
    return _dump(as_document(case))


def as_document(shape: Suite | Case) -> dict[str, Any]:
    """A suite or a case as JSON: what it says, and nothing that is so by itself."""
    return shape.model_dump(mode="json", exclude_unset=True)


class _Dumper(yaml.SafeDumper):
    """Writes lists inside of what they belong to, and nothing twice by reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> ScalarNode:
    # Whatever this reader takes for something else than text, and others too, is put in quotes.
    plain = yaml.SafeDumper.represent_str(dumper, text)
    if _plain_value(text) is not text or _INTEGER.fullmatch(text):
        plain.style = "'"
    return plain


_Dumper.add_representer(str, _text)


def _dump(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)


def _read(data: bytes, source: str) -> Read:
    if len(data) > MOST_BYTES:
        raise SuiteTooLarge(source, MOST_BYTES)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise SuiteMalformed(source, [("", "is no UTF-8 text")]) from error
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
        lines: dict[Place, int] = {}
        value = None if root is None else _value(root, (), lines)
        # What is not JSON, such as a lone surrogate, cannot be kept.
        loads_strict(canonical_bytes(value))
    except _Stop as stop:
        raise SuiteMalformed(source, [(f"line {stop.line}", stop.what)]) from stop
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}" if mark else ""
        raise SuiteMalformed(source, [(place, error.problem or "is no YAML")]) from error
    except yaml.YAMLError as error:
        raise SuiteMalformed(source, [("", f"is no YAML: {error}")]) from error
    except MalformedJson as error:
        raise SuiteMalformed(source, [("", error.detail)]) from error
    if not isinstance(value, dict):
        raise SuiteMalformed(source, [("line 1", "is no mapping of names and values")])
    return Read(value, lines)


def _value(node: Node, path: Place, lines: dict[Place, int]) -> Any:
    line = node.start_mark.line + 1
    lines[path] = line
    if isinstance(node, MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise _Stop(key_line, "a name has to be a plain text")
            key = _without_nul(key_node, key_line)
            if key == "<<":
                raise _Stop(key_line, "merge keys (<<) are not read; write the values out")
            if key in found:
                raise _Stop(key_line, f"{key} stands here twice")
            found[key] = _value(value_node, (*path, key), lines)
            lines[(*path, key)] = key_line
        return found
    if isinstance(node, SequenceNode):
        return [_value(each, (*path, place), lines) for place, each in enumerate(node.value)]
    assert isinstance(node, ScalarNode), "YAML has three kinds of nodes"
    text = _without_nul(node, line)
    return text if getattr(node, "style", None) is not None else _plain_value(text)


def _without_nul(node: ScalarNode, line: int) -> str:
    """What it says; PostgreSQL stores a NUL character in no text."""
    text = str(node.value)
    if "\0" in text:
        raise _Stop(line, "a text holds a NUL character")
    return text


def _plain_value(text: str) -> Any:
    """A value without quotes: null, true, false or a number as JSON writes them; anything else is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _problems(read: Read, error: ValidationError) -> list[tuple[str, str]]:
    found = [
        (read.place(each["loc"]), _sentence(each))
        for each in error.errors(include_url=False, include_context=False)[:MOST_ERRORS]
    ]
    if error.error_count() > MOST_ERRORS:
        found.append(("", f"and {error.error_count() - MOST_ERRORS} more"))
    return found


def _sentence(error: ErrorDetails) -> str:
    match error["type"]:
        case "extra_forbidden":
            return "is not known here; remove it, or mend its name"
        case "missing":
            return "is missing"
    said = error["msg"].removeprefix("Value error, ")
    return f"{said[:1].lower()}{said[1:]}"


def _is_tag(part: str | int) -> bool:
    return part in ("value", "comparison", "list", "constrained-str") or (
        isinstance(part, str) and part.startswith(("dict[", "function-"))
    )
