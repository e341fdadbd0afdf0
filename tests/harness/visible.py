"""What a page says to whoever sees or hears it, text by text."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

#: What no reader meets, and what is code in any language.
_UNSEEN = frozenset({"script", "style", "template", "svg", "title-of-nothing"})
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
