"""Cosignatures of witnesses: C2SP tlog-cosignature, version 1, Ed25519. Pure.

A witness signs a checkpoint together with the time at which it was the largest one that it knew of the log, after it
has checked that the log only grew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.merkle.notes import (
    SIGNATURE_BYTES,
    NamedKey,
    NoteNotValid,
    base64_text,
    read_note,
)

_TIME_BYTES: Final = 8
#: The end of the year 9999, as the verifier of exports has it: no later time can be kept, or written as a date.
_LATEST: Final = 253_402_300_799


@dataclass(frozen=True)
class WitnessKey(NamedKey):
    """The key of a witness, which cosigns."""

    TYPE = b"\x04"
    MAKES = "Ed25519 cosignatures (type 4)"


@dataclass(frozen=True)
class Cosignature:
    """A cosignature that was verified: its line as it stands in a note, and its time in seconds since 1970."""

    line: str
    seconds: int


def cosigned_message(text: str, seconds: int) -> bytes:
    """What a witness signs: two lines, and the text of the checkpoint."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def cosignature(note: str, key: WitnessKey) -> Cosignature | None:
    """The cosignature by the key in a checkpoint's note; None where there is none.

    Raises `NoteNotValid` for what is no note, and for a signature in the key's name that does not verify.
    """
    text, signatures = read_note(note)
    for line in signatures:
        if (line.name, line.key_id) == (key.name, key.id):
            seconds = _verified(text, line.signature, key)
            return Cosignature(signature_line(line.name, line.key_id + line.signature), seconds)
    return None


def signature_line(name: str, signature: bytes) -> str:
    """A line of a note, with the newline that ends it; `signature` begins with the key's id."""
    return f"— {name} {base64_text(signature)}\n"


def with_cosignatures(note: str, lines: Iterable[str]) -> str:
    """The note with further signature lines."""
    return note + "".join(lines)


def _verified(text: str, signature: bytes, key: WitnessKey) -> int:
    if len(signature) != _TIME_BYTES + SIGNATURE_BYTES:
        raise NoteNotValid("A cosignature is a time of 8 bytes and a signature of 64.")
    seconds = int.from_bytes(signature[:_TIME_BYTES])
    if seconds > _LATEST:
        raise NoteNotValid("The time of a cosignature is out of range.")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(
            signature[_TIME_BYTES:], cosigned_message(text, seconds)
        )
    except InvalidSignature:
        raise NoteNotValid(
            f"The cosignature by {key.name} ({key.id.hex()}) does not verify."
        ) from None
    return seconds
