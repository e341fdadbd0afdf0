"""What a page says to whoever sees or hears it, text by text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

#: What no reader meets, and what is code in any language.
_UNSEEN = frozenset({"script", "style", "template", "svg"})
_CODE = frozenset({"code", "kbd", "pre", "samp", "textarea"})
_VOID = frozenset({"area", "br", "hr", "img", "input", "link", "meta", "source", "wbr"})
_SPOKEN = ("aria-label", "title", "placeholder", "alt", "data-label", "aria-description")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if not self._hidden:
            self.found += [text for name in _SPOKEN if (text := given.get(name))]
            if tag == "input" and given.get("type") in ("submit", "button"):
                self.found.append(given.get("value") or "")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)

    @property
    def _hidden(self) -> bool:
        return bool((_UNSEEN | _CODE) & set(self.open))


def said(markup: str) -> Iterator[str]:
    """Each text of a page, and of the labels that stand in attributes, in one line; code is left out."""
    reader = _Reader()
    reader.feed(markup)
    for text in reader.found:
        line = " ".join(text.split())
        if line:
            yield line


#: Of a text that is the same in two languages, one of these says that it was left in English.
_ENGLISH = re.compile(
    r"\b(the|of|and|is|are|were|with|by|for|not|to|has|have|it|that|this|from|until|or|on|be|no|your|you|than|"
    r"before|after|as|when|which|nobody|somebody|waiting|choose)\b",
    re.IGNORECASE,
)
#: What stands around a text that somebody wrote: the name of the product and a count in a title, a colon before it.
_AROUND = re.compile(r"^[:\s]+|( · Audit)?( · Countersign)?( \(\d+\))?$")
#: An event type is a code in every language.
_TYPE = re.compile(r"[a-z_]+\.[a-z_]+")


def left_in_english(english: str, german: str, written: str) -> list[str]:
    """What a page says in German as it does in English, though it is a sentence of ours.

    `written` holds all that people, agents and tools wrote: that stays as it is.
    """
    theirs = _plain(written)
    both = {_AROUND.sub("", text) for text in set(said(english)) & set(said(german))}
    return sorted(
        text
        for text in both
        if _ENGLISH.search(text) and not _TYPE.fullmatch(text) and _plain(text) not in theirs
    )


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").lower().split())
