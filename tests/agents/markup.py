"""What a browser would make of a page: reads it as HTML and says what of it somebody else wrote."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.approvals.hostile import MARKER, UNSEEN

_RAW = frozenset({"input", "textarea", "option", "form", "button"})


def _is_sound(address: str) -> bool:
    """Whether what somebody wrote stands in no part of the address, or quoted in the query of one of our own."""
    path, _, query = address.partition("?")
    ours = path.startswith("/") and not path.startswith("//")
    return MARKER not in path and (MARKER not in query or (ours and not set(query) & set("<>\"' ")))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.troubles: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (name == "style"):
                self.troubles.append(f"<{tag} {name}={value!r}>")
            if name in ("href", "src", "action", "xlink:href") and not _is_sound(value or ""):
                self.troubles.append(f"<{tag} {name}={value!r}>")
            # Forms hold values as they are; everywhere else nothing unseen is left.
            if tag not in _RAW and set(UNSEEN) & set(value or ""):
                self.troubles.append(f"unseen in <{tag} {name}={value!r}>")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside in ("script", "style") and MARKER in data:
            self.troubles.append(f"<{inside}>{data!r}")
        elif inside not in _RAW and set(UNSEEN) & set(data):
            self.troubles.append(f"unseen: {data[:200]!r}")
        self.text.append(data)


def troubles_in(page: bytes) -> list[str]:
    """What could run, or could not be seen, on this page; empty for one that is as it should be."""
    reader = _Reader()
    reader.feed(page.decode())
    return reader.troubles


def words_in(page: bytes) -> str:
    """The text of the page."""
    reader = _Reader()
    reader.feed(page.decode())
    return "".join(reader.text)
