"""The last checkpoint, kept outside the database: what shows that the database was set back.

A file that is replaced in one piece and forced to the disk. It holds the signed note and nothing else.
"""

import os
from pathlib import Path

from django.conf import settings


class OutsideTrouble(Exception):
    """The file cannot be read or written; the text is a sentence for an operator."""


def path() -> Path:
    """Where the checkpoint lies."""
    return Path(settings.COUNTERSIGN.checkpoint_path)


def read() -> str | None:
    """The note, or None where no checkpoint was ever kept; raises `OutsideTrouble`."""
    try:
        return path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise OutsideTrouble(f"The checkpoint in {path()} cannot be read ({error}).") from error


def write(note: str) -> None:
    """Put the note in the place of the one before, for good; raises `OutsideTrouble`."""
    kept = path()
    draft = kept.with_name(f".{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(kept)
        _force(kept.parent)
    except OSError as error:
        raise OutsideTrouble(
            f"The checkpoint cannot be kept in {kept} ({error.strerror}): without it a database that is set "
            "back would not show."
        ) from error


def _force(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
