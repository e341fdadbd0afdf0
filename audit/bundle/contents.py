"""The documents that digests in events stand for, gathered on the disk while events go by."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit.bundle.parts import Part

_ABSENT: Final = ".absent"


@dataclass(frozen=True)
class Gathered:
    """How many documents there are and how many more are spoken of; SHA-256 over the names, a line each."""

    documents: int
    absent: int
    sha256: str


class Contents:
    """Documents by their SHA-256, each kept once, in 256 folders so that no list grows with their number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def keep(self, digest: str, data: bytes) -> None:
        """A document and the digest (`sha256:…`) that it has."""
        path = self._path(digest)
        if not path.exists():
            path.write_bytes(data)

    def has(self, digest: str) -> bool:
        """Whether the document was kept already."""
        return self._path(digest).exists()

    def lack(self, digest: str) -> None:
        """An event speaks of a document that is not there, or not for this reader."""
        self._path(digest + _ABSENT).touch()

    def gathered(self) -> Gathered:
        """What was gathered until now."""
        documents = absent = 0
        listed = hashlib.sha256()
        for heap in self._heaps():
            there = {path.name for path in heap.iterdir()}
            for name in sorted(there):
                if name.endswith(_ABSENT):
                    absent += name.removesuffix(_ABSENT) not in there
                else:
                    documents += 1
                    listed.update(f"content/{name}\n".encode())
        return Gathered(documents, absent, listed.hexdigest())

    def parts(self) -> Iterator[tuple[str, Part]]:
        """Each document's name in the export, in order, and its file."""
        for heap in self._heaps():
            for path in sorted(heap.iterdir()):
                if path.suffix != _ABSENT:
                    yield f"content/{path.name}", Part.found(path)

    def _heaps(self) -> list[Path]:
        return sorted(self._folder.iterdir())

    def _path(self, digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        heap = self._folder / name[:2]
        heap.mkdir(exist_ok=True)
        return heap / name
