"""The files of an export before they are put together: written once, with size, check sum and digest."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self

from audit.verifier import verify

_BLOCK: Final = 1024 * 1024


class Part:
    """One file of the export, written to its end and then copied into the ZIP."""

    def __init__(self, path: Path, mode: Literal["xb", "rb"] = "xb") -> None:
        self.path = path
        self.size = 0
        self.crc = 0
        self._digest = hashlib.sha256()
        self._file = path.open(mode)

    @classmethod
    def of(cls, path: Path, data: bytes) -> Self:
        """A small file, written whole."""
        with cls(path) as part:
            part.write(data)
        return part

    @classmethod
    def found(cls, path: Path) -> Self:
        """A file that is there."""
        with cls(path, "rb") as part:
            for block in part.blocks():
                part._count(block)
        return part

    def write(self, data: bytes) -> None:
        """Append; raises OSError where the disk refuses."""
        self._file.write(data)
        self._count(data)

    def _count(self, data: bytes) -> None:
        self._digest.update(data)
        self.crc = zlib.crc32(data, self.crc)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits."""
        return self._digest.hexdigest()

    def blocks(self) -> Iterator[bytes]:
        """The file's bytes again, from its beginning."""
        with self.path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class StoredZip:
    """A ZIP without compression whose every byte follows from the names and contents of its files.

    Nothing is left to a compressor's version or to a clock, and nothing can unpack to more than it is.
    The headers are those of the verifier, which holds a file against them byte for byte.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._directory: list[tuple[str, int, int, int]] = []
        self.size = 0

    def add(self, name: str, part: Part) -> None:
        """Append a file; the order is the verifier's (`verify.place_of`)."""
        self._directory.append((name, part.size, part.crc, self.size))
        self._write(verify.local_header(name, part.size, part.crc))
        for block in part.blocks():
            self._write(block)

    def finish(self) -> str:
        """Write the directory; returns the SHA-256 of the whole as 64 hexadecimal digits."""
        start = self.size
        for name, size, crc, offset in self._directory:
            self._write(verify.central_header(name, size, crc, offset))
        self._write(verify.end_of_zip(len(self._directory), start, self.size - start))
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._digest.hexdigest()

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)
