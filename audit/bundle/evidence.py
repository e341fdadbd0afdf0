"""The files of an export, written side by side from events in the order of the log. Knows no database."""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from audit.bundle.contents import Contents
from audit.bundle.parts import Part
from audit.bundle.proof_lines import Nodes, ProofLines
from audit.canonical import sha256_hex
from audit.verifier import verify

_NAMES: Final = ("events.jsonl", "proofs", "events.csv")


@dataclass(frozen=True)
class Shape:
    """How much of the log the events are, as the verifier will find it."""

    events: int
    first: int
    end: int
    story: str | None
    """The name of the one story that all events belong to, when they are all of it from its first on."""
    ended: bool


class Evidence:
    """Writes events, proofs, table, disclosures and documents into a folder of its own.

    `size` is the checkpoint's; `disclosures` says whether there is a file of them. Raises OSError where
    the disk refuses.
    """

    def __init__(self, folder: Path, nodes: Nodes, size: int, *, disclosures: bool) -> None:
        self._open = ExitStack()
        self.parts: dict[str, Part] = {}
        for name in (*_NAMES, "disclosures.jsonl") if disclosures else _NAMES:
            self.parts[name] = self._open.enter_context(Part(folder / name))
        self.contents = Contents(folder / "content")
        self._proofs = ProofLines(nodes, size)
        self._disclosures = self.parts.get("disclosures.jsonl")
        self.rows: Callable[[list[str]], None] | None = None
        self.opened = 0
        self.erased = 0
        self.events = self._first = self._last = 0
        self._story: str | None = None
        self._of_story = True
        self._ended = False

    def __enter__(self) -> Self:
        self.parts["proofs"].write(self._proofs.header())
        self.parts["events.csv"].write(verify.csv_line([name for name, _ in verify.COLUMNS]))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def event(self, index: int, body: bytes, opened: Iterable[bytes]) -> dict[str, Any]:
        """The leaf `index`, its body and its encoded disclosures (in the order of their digests).

        Returns the body, parsed.
        """
        self.parts["proofs"].write(self._proofs.leaf(index))
        self.parts["events.jsonl"].write(body + b"\n")
        event: dict[str, Any] = orjson.loads(body)
        leaf = hashlib.sha256(b"\x00" + body).hexdigest()
        texts = verify.texts_of(event, leaf)
        self.parts["events.csv"].write(verify.csv_line(verify.defused(texts)))
        if self.rows is not None:
            self.rows(texts)
        if self._disclosures is not None:
            count = self.opened
            for encoded in opened:
                self._disclosures.write(_disclosure_line(event["id"], encoded))
                self.opened += 1
            self.erased += len(event.get("_sd", ())) - (self.opened - count)
        self._place(index, event)
        return event

    @property
    def position(self) -> int:
        """The place behind the last event."""
        return self._last + 1 if self.events else 0

    def documents(self, named: Iterable[str], there: Mapping[str, bytes]) -> None:
        """Digests that events speak of, and those of the documents that are there."""
        for digest in named:
            data = there.get(digest)
            if data is not None and sha256_hex(data) == digest:
                self.contents.keep(digest, data)
            else:
                self.contents.lack(digest)

    def shape(self) -> Shape:
        """What the events were; after the last one."""
        self.parts["proofs"].write(self._proofs.end())
        self._open.close()
        return Shape(
            self.events,
            self._first,
            self.position,
            self._story if self._of_story else None,
            self._ended,
        )

    def _place(self, index: int, event: dict[str, Any]) -> None:
        if not self.events:
            self._first, self._story = index, event["stream"]
        self.events, self._last = self.events + 1, index
        if event["stream"] != self._story or event["seq"] != self.events:
            self._of_story = False
        self._ended = verify.ends_story(event)


def named_in(event: dict[str, Any], opened: Iterable[bytes]) -> list[tuple[str, str]]:
    """Digests of documents that an event and its disclosures speak of, and what they call them."""
    named = list(verify.documents_named(event))
    for encoded in opened:
        name, value = verify.read_disclosure(encoded.decode())
        if name.endswith("_sha256") and verify.is_digest(value):
            named.append((value, name))
    return named


def cleared(folder: Path) -> Path:
    """The folder, empty and the account's own; what an earlier attempt left there is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def _disclosure_line(event: str, encoded: bytes) -> bytes:
    return orjson.dumps({"disclosure": encoded.decode(), "event": event}) + b"\n"
