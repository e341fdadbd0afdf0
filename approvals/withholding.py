"""Sensitive values where they are repeated: in titles, previews, evidence, messages. Pure.

A tool names its sensitive arguments; their values are found again word for word, whatever their case, in
text and in JSON within text. What is shorter than `SHORTEST` is not looked for: it stands in too many words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

SHORTEST: Final = 4
MASK: Final = "[hidden: sensitive]"
#: Moments, ids and digests: programs read them, and no digits in them are anybody's number.
_REFERENCE: Final = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|sha256:[0-9a-f]{64}"
)


def values_in(arguments: Mapping[str, Any], names: Collection[str]) -> frozenset[str]:
    """The texts and numbers within the arguments of these names, as text."""
    found = (text for name in names for text in _leaves(arguments.get(name)))
    return frozenset(text for text in found if len(text.strip()) >= SHORTEST)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not str(key).isidentifier():
                # Names of fields stand everywhere; what is no such name is content.
                yield str(key)
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield json.dumps(value)


class Withheld:
    """Values that one reader may not see; none of them for a reader who may."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values = frozenset(values)

    def __bool__(self) -> bool:
        return bool(self.values)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        forms = {form for value in self.values for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        return re.compile("|".join(map(_matching, longest_first)), re.IGNORECASE)

    def text(self, text: str) -> str:
        """The text with every value in it replaced."""
        return self._pattern.sub(MASK, text) if self.values and text else text

    def value(self, value: Any) -> Any:
        """A JSON value of a known shape with its texts cleared; keys, numbers and references stay."""
        if not self.values:
            return value
        if isinstance(value, str):
            return value if _REFERENCE.fullmatch(value) else self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, list | tuple) else value

    def content(self, value: Any) -> Any:
        """What somebody outside may have given any shape, cleared in keys and numbers as well."""
        if not self.values or value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.content(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.content(item) for item in value]
        return MASK if json.dumps(value) in self.values else value

    def arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name; the names are the tool's own."""
        return {name: self.content(value) for name, value in arguments.items()}

    def names_in(self, arguments: Mapping[str, Any]) -> list[str]:
        """Names of the arguments that hold one of the values."""
        if not self.values:
            return []
        return [name for name, value in arguments.items() if self.content(value) != value]


def _forms(value: str) -> set[str]:
    """The value as it is, without the blanks around it, and as JSON writes it within a text."""
    plain = {value, value.strip()}
    return plain | {
        json.dumps(form, ensure_ascii=only_ascii)[1:-1]
        for form in plain
        for only_ascii in (True, False)
    }


def _matching(form: str) -> str:
    # A number within a longer one is another number.
    return rf"(?<!\d){re.escape(form)}(?!\d)" if form.isdecimal() else re.escape(form)
