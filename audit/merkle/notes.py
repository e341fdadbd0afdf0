"""Signed notes and checkpoints as C2SP specifies them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

A note is text, an empty line, and a signature line per key. A checkpoint is a note whose text is the log's
origin, its size and its root. Ed25519 only; signatures by other keys are left alone, as the
specification asks for.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.merkle.hashing import HASH_BYTES

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_ID_BYTES: Final = 4
_MOST_SIGNATURES: Final = 64
_DASH: Final = "— "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class NoteNotValid(Exception):
    """A text is no signed note, no checkpoint, or not signed by a key that is trusted."""


@dataclass(frozen=True)
class NamedKey:
    """An Ed25519 public key, the name under which it signs, and what kind of signature it makes."""

    name: str
    public: bytes

    TYPE: ClassVar[bytes]
    MAKES: ClassVar[str]

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != PUBLIC_KEY_BYTES:
            raise NoteNotValid("An Ed25519 public key has 32 bytes.")

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key)."""
        named = self.name.encode() + b"\n" + self.TYPE + self.public
        return hashlib.sha256(named).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        """The key as the specification writes it: `name+hash+base64`."""
        return f"{self.name}+{self.id.hex()}+{base64_text(self.TYPE + self.public)}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `name+hash+base64`; raises `NoteNotValid`."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteNotValid("A verifier key is written as name+hash+base64.")
        name, digest, encoded = parts
        key = base64_bytes(encoded)
        if key[:1] != cls.TYPE:
            raise NoteNotValid(f"The key is not one that makes {cls.MAKES}.")
        found = cls(name, key[1:])
        if found.id.hex() != digest:
            raise NoteNotValid("The key does not have the hash that stands in it.")
        return found


@dataclass(frozen=True)
class VerifierKey(NamedKey):
    """A key that signs notes."""

    TYPE = b"\x01"
    MAKES = "Ed25519 signatures (type 1)"

    def verifies(self, signature: bytes, text: str) -> bool:
        """Whether the 64 bytes are this key's signature of the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Signer(Protocol):
    """A key that signs."""

    @property
    def key(self) -> VerifierKey: ...

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of an Ed25519 signature (RFC 8032)."""
        ...


class Signature(NamedTuple):
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


class Note(NamedTuple):
    """A note as it was read: nothing about it is verified yet."""

    text: str
    signatures: tuple[Signature, ...]


class Checkpoint(NamedTuple):
    """What a checkpoint says: which log, how many leaves, the 32 bytes of the root."""

    origin: str
    size: int
    root: bytes


def check_name(name: str) -> None:
    """Raise `NoteNotValid` for what cannot name a key."""
    if not name or "+" in name or any(each.isspace() or each < " " for each in name):
        raise NoteNotValid("A key's name is not empty and has no spaces and no plus signs.")


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text that a checkpoint signs: three lines, no extension lines."""
    check_name(origin)
    if size < 0 or len(root) != HASH_BYTES:
        raise NoteNotValid("A checkpoint holds a size from 0 on and a root of 32 bytes.")
    return f"{origin}\n{size}\n{base64_text(root)}\n"


def signed(text: str, keys: Iterable[Signer]) -> str:
    """The note: the text, which ends with a newline, and a signature line per key."""
    _check_text(text)
    lines = [
        f"{_DASH}{signer.key.name} {base64_text(signer.key.id + signer.sign(text.encode()))}\n"
        for signer in keys
    ]
    if not lines:
        raise NoteNotValid("A note without a signature is none.")
    return f"{text}\n{''.join(lines)}"


def read_note(note: str) -> Note:
    """Take a note apart without verifying it; raises `NoteNotValid`."""
    head, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise NoteNotValid("A note ends with an empty line and signature lines.")
    text, lines = head + "\n", tail[:-1].split("\n")
    _check_text(text)
    if len(lines) > _MOST_SIGNATURES:
        raise NoteNotValid(f"A note with more than {_MOST_SIGNATURES} signatures is not read.")
    return Note(text, tuple(map(_signature, lines)))


def verified(note: str, keys: Iterable[VerifierKey]) -> tuple[str, list[VerifierKey]]:
    """The text of a note and those of `keys` that signed it, at least one.

    Raises `NoteNotValid` where none did, and where a signature in the name of one of them does not verify.
    """
    text, signatures = read_note(note)
    known = {(key.name, key.id): key for key in keys}
    signers = []
    for line in signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if not key.verifies(line.signature, text):
            raise NoteNotValid(f"The signature by {key.name} ({key.id.hex()}) does not verify.")
        if key not in signers:
            signers.append(key)
    if not signers:
        raise NoteNotValid("The note is not signed by a key that is known here.")
    return text, signers


def opened(note: str, verifier_keys: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint in a note that one of the keys signed at least; raises `NoteNotValid`."""
    text, _ = verified(note, verifier_keys)
    return read_checkpoint(text)


def read_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note's text. Extension lines are skipped: this log writes none."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise NoteNotValid("A checkpoint has an origin, a size and a root, each in a line.")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise NoteNotValid("The size of a checkpoint is a plain whole number.")
    decoded = base64_bytes(root)
    if len(decoded) != HASH_BYTES:
        raise NoteNotValid("The root of a checkpoint has 32 bytes.")
    return Checkpoint(origin, int(size), decoded)


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        raise NoteNotValid("A signature line begins with a dash and a space.")
    check_name(name)
    found = base64_bytes(encoded)
    if len(found) <= _ID_BYTES:
        raise NoteNotValid("A signature is too short.")
    return Signature(name, found[:_ID_BYTES], found[_ID_BYTES:])


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteNotValid("The text of a note ends with a newline.")
    if any(each < " " and each != "\n" for each in text):
        raise NoteNotValid("The text of a note holds a control character.")


def base64_text(data: bytes) -> str:
    """Base64, as notes write it."""
    return base64.b64encode(data).decode()


def base64_bytes(text: str) -> bytes:
    """The bytes of base64 that is written in the one way; raises `NoteNotValid`."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteNotValid("A part of it is not base64.") from error
    if base64_text(found) != text:
        # Loose last bits: the same bytes could be written in two ways.
        raise NoteNotValid("A part of it is not base64.")
    return found
