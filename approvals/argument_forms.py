"""Forms made from a tool's JSON Schema, so that a person edits fields and not JSON.

A subset is mapped: objects (also nested), text, numbers, decimals as pydantic writes them, yes or no, choices,
lists of text, each also nullable. A value of any other shape is edited as JSON of its own. What is posted goes to
the tool's own validation afterwards; here it only gets its JSON type back.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from django import forms
from django.utils.translation import gettext

from approvals.characters import runs
from audit.canonical import INTEGER_LIMIT, NOT_JSON, loads_strict
from audit.errors import Invalid

Kind = Literal[
    "text", "long_text", "integer", "decimal", "number", "yes_no", "choice", "lines", "json"
]

MOST_DEPTH: Final = 2
LONG_TEXT_FROM: Final = 80
LONG_FIELD_FROM: Final = 1_000
"""Characters that a field may hold, from which on it has several lines whatever stands in it."""
ARGUMENTS: Final = "arguments"
OUTPUT: Final = "output"
_LARGEST: Final = sys.float_info.max


@dataclass(frozen=True)
class Slot:
    """One editable value: where it lies in the arguments, and how a person writes it."""

    path: tuple[str, ...]
    kind: Kind
    label: str
    help: str = ""
    nullable: bool = False
    choices: tuple[Any, ...] = ()
    value: Any = None
    prefix: str = ARGUMENTS

    @property
    def name(self) -> str:
        """Name of its form field: `arguments.customer.email`."""
        return ".".join((self.prefix, *self.path))


@dataclass
class _Schema:
    """A JSON Schema with its `$defs` at hand."""

    root: Mapping[str, Any]
    definitions: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.definitions = self.root.get("$defs", {})

    def resolved(self, node: Any) -> tuple[dict[str, Any], bool]:
        """The node without reference and without null, and whether null was among its types."""
        node = dict(node) if isinstance(node, Mapping) else {}
        reference = node.pop("$ref", None)
        if isinstance(reference, str):
            target = self.definitions.get(reference.rpartition("/")[2], {})
            node = {**target, **node}
        options = [option for option in node.get("anyOf", []) if isinstance(option, Mapping)]
        if not options:
            return node, False
        kept = [option for option in options if option.get("type") != "null"]
        nullable = len(kept) < len(options)
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        if len(kept) == 1:
            inner, _ = self.resolved(kept[0])
            return {**inner, **rest}, nullable
        if {option.get("type") for option in kept} == {"number", "string"}:
            return {"type": "decimal", **rest}, nullable
        return rest, nullable


def slots_of(
    schema: Mapping[str, Any], values: Mapping[str, Any], prefix: str = ARGUMENTS
) -> list[Slot]:
    """The values of an object: what the schema requires, in the order of its author, then the rest; those that it
    does not name come last, as JSON."""
    known = _Schema(schema)
    return [replace(slot, prefix=prefix) for slot in _slots(known, schema, values, (), 0)]


def _slots(
    known: _Schema,
    node: Mapping[str, Any],
    values: Mapping[str, Any],
    path: tuple[str, ...],
    depth: int,
) -> Iterable[Slot]:
    properties = node.get("properties", {})
    # The database keeps an object's keys by length, a list as it was.
    required = [name for name in node.get("required", ()) if name in properties]
    for name in dict.fromkeys([*required, *properties]):
        described = properties[name]
        inner, nullable = known.resolved(described)
        value = values.get(name, inner.get("default"))
        here = (*path, name)
        if inner.get("properties") and isinstance(value, Mapping) and depth < MOST_DEPTH:
            yield from _slots(known, inner, value, here, depth + 1)
        else:
            yield _slot(known, inner, here, value, nullable)
    for name, value in values.items():
        if name not in properties:
            yield Slot((*path, name), "json", _label(name, {}), value=value)


def _slot(
    known: _Schema, node: dict[str, Any], path: tuple[str, ...], value: Any, nullable: bool
) -> Slot:
    kind, choices = _kind(known, node, value)
    return Slot(
        path=path,
        kind=kind,
        label=_label(path[-1], node) if len(path) == 1 else " · ".join(map(_words, path)),
        help=str(node.get("description", "")),
        nullable=nullable,
        choices=choices,
        value=value,
    )


def _kind(known: _Schema, node: dict[str, Any], value: Any) -> tuple[Kind, tuple[Any, ...]]:
    if "const" in node:
        return "choice", (node["const"],)
    if "enum" in node:
        return "choice", tuple(node["enum"])
    if node.get("type") == "array":
        item, _ = known.resolved(node.get("items"))
        return ("lines" if _is_lines(item, value) else "json"), ()
    if node.get("type") == "string":
        most = node.get("maxLength")
        roomy = isinstance(most, int) and most >= LONG_FIELD_FROM
        lengthy = isinstance(value, str) and (_breaks(value) or len(value) > LONG_TEXT_FROM)
        long = roomy or lengthy
        return ("long_text" if long else "text"), ()
    kinds: dict[Any, Kind] = {
        "integer": "integer",
        "number": "number",
        "decimal": "decimal",
        "boolean": "yes_no",
    }
    return kinds.get(node.get("type"), "json"), ()


def _is_lines(item: Mapping[str, Any], value: Any) -> bool:
    if item.get("type") != "string" or "enum" in item:
        return False
    return all(isinstance(entry, str) and not _breaks(entry) for entry in value or [])


def _breaks(text: str) -> bool:
    """Whether a field of one line would lose what the text holds."""
    return "\n" in text or "\r" in text


def _words(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()


def _label(name: str, node: Mapping[str, Any]) -> str:
    """The schema's title, unless pydantic made it of the name: `Account On Invoice` is no heading here."""
    title = str(node.get("title") or "")
    return _words(name) if title in ("", name.replace("_", " ").title()) else title


@dataclass(frozen=True)
class Change:
    """One field of a bound form beside what stood there before."""

    changed: bool
    before: str
    after: str


class SchemaForm(forms.Form):
    """An object as fields. Bound and valid, `edited()` is what to send to its own validation.

    `belongs_to` is the id of the <form> that the fields are part of, wherever they stand on the page.
    """

    def __init__(
        self,
        *,
        schema: Mapping[str, Any],
        values: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
        prefix_name: str = ARGUMENTS,
        belongs_to: str = "decide-form",
    ) -> None:
        super().__init__(data)
        self.prefix_name = prefix_name
        self.slots = slots_of(schema, values, prefix_name)
        for slot in self.slots:
            self.fields[slot.name] = _field(slot, belongs_to)

    @property
    def rows(self) -> list[tuple[Change, forms.BoundField]]:
        """Each field with its change, for the page."""
        return [(self._change(slot), self[slot.name]) for slot in self.slots]

    def _change(self, slot: Slot) -> Change:
        after = str(self.data.get(slot.name, "")) if self.is_bound else written(slot)
        return Change(not _unchanged(slot, after), written(slot), after)

    def edited(self) -> dict[str, Any]:
        """The arguments as posted; what was left as it stood keeps its exact value. Only after is_valid()."""
        result: dict[str, Any] = {}
        for slot in self.slots:
            holder = result
            for step in slot.path[:-1]:
                holder = holder.setdefault(step, {})
            holder[slot.path[-1]] = self.cleaned_data[slot.name]
        return result

    def clean(self) -> dict[str, Any]:
        """Give each text its JSON type back; what cannot be read is an error at its field."""
        for slot in self.slots:
            posted = self.cleaned_data.get(slot.name)
            if slot.name in self.errors:
                continue
            try:
                self.cleaned_data[slot.name] = _read(slot, "" if posted is None else str(posted))
            except ValueError as error:
                self.add_error(slot.name, str(error))
        return self.cleaned_data

    def add_refusals(self, errors: Sequence[Mapping[str, Any]]) -> None:
        """Put what the tool's validation said at the fields it speaks of, the rest on top."""
        for error in errors:
            path = str(error.get("field", "")).removeprefix(f"{self.prefix_name}.")
            parts = path.split(".")
            names = (".".join((self.prefix_name, *parts[:end])) for end in range(len(parts), 0, -1))
            name = next((name for name in names if name in self.fields), None)
            message = str(error.get("message", gettext("This does not hold.")))
            self.add_error(name, message if name or not path else f"{path}: {message}")


def written(slot: Slot) -> str:
    """The value of a slot as text in its field."""
    if slot.kind == "json":
        return json.dumps(slot.value, indent=2, ensure_ascii=False)
    if slot.value is None:
        return ""
    if slot.kind == "lines":
        return "\n".join(slot.value)
    if slot.kind in ("yes_no", "choice"):
        return json.dumps(slot.value, ensure_ascii=False)
    return slot.value if isinstance(slot.value, str) else json.dumps(slot.value)


def _unchanged(slot: Slot, posted: str) -> bool:
    return _plain_lines(posted) == _plain_lines(written(slot))


def _plain_lines(text: str) -> str:
    """Line ends as they are after a browser has sent them (HTML, 4.10.11.4: newlines are normalised)."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(slot: Slot, posted: str) -> Any:
    if _unchanged(slot, posted):
        return slot.value
    posted = _plain_lines(posted)
    if not posted.strip() and slot.nullable:
        return None
    match slot.kind:
        case "text" | "long_text":
            return posted
        case "lines":
            return [line for line in posted.split("\n") if line.strip()]
        case "decimal":
            return posted.strip()
        case "integer" | "number":
            return _read_number(slot, posted.strip())
        case _:
            return _read_json(posted)


def _read_number(slot: Slot, posted: str) -> int | float:
    whole = slot.kind == "integer"
    try:
        value = int(posted) if whole else float(posted)
    except ValueError:
        value = math.nan
    # Python also reads nan, inf, underscores and the digits of other scripts.
    plain = posted.isascii() and "_" not in posted
    if not plain or not -_LARGEST < value < _LARGEST or (whole and abs(value) >= INTEGER_LIMIT):
        raise ValueError(
            gettext("Write {whole}.").format(
                whole="a whole number below 2^53" if whole else "a number"
            )
        )
    return value


def _read_json(posted: str) -> Any:
    try:
        return loads_strict(posted)
    except Invalid as error:
        raise ValueError(
            gettext("This is no JSON: {detail}").format(detail=error.detail.removeprefix(NOT_JSON))
        ) from error


def _field(slot: Slot, belongs_to: str) -> forms.Field:
    options: dict[str, Any] = {
        "label": slot.label,
        "required": False,
        "initial": written(slot),
        "help_text": " ".join(filter(None, (slot.help, _hidden_note(slot)))),
    }
    attributes = {
        "form": belongs_to,
        "data-before": written(slot),
        "data-draft": slot.name,
        "autocomplete": "off",
        "spellcheck": "false",
    }
    if slot.kind in ("yes_no", "choice"):
        return forms.ChoiceField(
            **options, choices=_choices(slot), widget=forms.Select(attrs=attributes)
        )
    if slot.kind in ("long_text", "lines", "json"):
        rows = min(16, max(3, written(slot).count("\n") + 2, len(written(slot)) // 70))
        classes = {"class": "mono-input"} if slot.kind == "json" else {}
        attributes |= {"rows": str(rows), **classes}
        return forms.CharField(**options, strip=False, widget=forms.Textarea(attrs=attributes))
    modes = {"integer": "numeric", "number": "decimal", "decimal": "decimal"}
    if slot.kind in modes:
        attributes |= {"inputmode": modes[slot.kind], "class": "mono-input"}
    return forms.CharField(**options, strip=False, widget=forms.TextInput(attrs=attributes))


def _choices(slot: Slot) -> list[tuple[str, str]]:
    values = (True, False) if slot.kind == "yes_no" else slot.choices
    listed = [
        (
            json.dumps(value, ensure_ascii=False),
            "Yes" if value is True else "No" if value is False else str(value),
        )
        for value in values
    ]
    return [("", "–"), *listed] if slot.nullable or slot.value is None else listed


def _hidden_note(slot: Slot) -> str:
    marked = sorted({run.note for run in runs(written(slot)) if run.note})
    return gettext("Contains {marked}.").format(marked=", ".join(marked)) if marked else ""
