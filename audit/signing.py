"""The keys that sign checkpoints and manifests: files of this machine, or a command that keeps its key to itself.

A key is an Ed25519 key in a PEM file (PKCS 8, not encrypted) that nobody but its owner may read. The file
of the settings is the first; keys that `audit_keys rotate` made lie beside it.
"""

import base64
import binascii
import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.conf import settings

from audit.merkle.notes import NoteNotValid, VerifierKey, read_checkpoint, signed
from audit.models import LogKey

COMMAND_SECONDS: Final = 5


class KeyTrouble(Exception):
    """A key that has to sign cannot be used; the text is a sentence for an operator."""


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A public key and what signs with it."""

    public: bytes
    sign: Callable[[bytes], bytes]

    def named(self, name: str) -> "NamedSigner":
        """The key as it signs under a name."""
        return NamedSigner(VerifierKey(name, self.public), self)


@dataclass(frozen=True, repr=False)
class NamedSigner:
    """A key of a log (`audit.merkle.notes.Signer`)."""

    key: VerifierKey
    by: SigningKey

    def sign(self, message: bytes) -> bytes:
        signature = self.by.sign(message)
        if not self.key.verifies(signature, message.decode()):
            raise KeyTrouble(
                f"What signed for the key {self.key.id.hex()} gave a signature that is not its own."
            )
        return signature


def own_key() -> SigningKey:
    """The key of the settings: the command's where there is one, the file's otherwise; raises `KeyTrouble`."""
    command = settings.COUNTERSIGN.signing_command
    return from_command(command) if command else from_file(_path())


def signers_for(keys: Iterable[VerifierKey]) -> list[NamedSigner]:
    """What signs for each of these keys, on this machine; raises `KeyTrouble` where one is not there."""
    found: dict[bytes, SigningKey] = {}
    troubles = []
    for read in _sources():
        try:
            key = read()
        except KeyTrouble as trouble:
            troubles.append(str(trouble))
        else:
            found.setdefault(key.public, key)
    signers = []
    for wanted in keys:
        if wanted.public not in found:
            why = " ".join(troubles) or "None of the keys on this machine is that key."
            raise KeyTrouble(f"The log's key {wanted.id.hex()} cannot sign. {why}")
        signers.append(NamedSigner(wanted, found[wanted.public]))
    if not signers:
        raise KeyTrouble("The log has no key that signs. Make one with audit_keys rotate.")
    return signers


def sign_note(text: str) -> str:
    """A signed note of this text by every key that signs for the log now.

    For what vouches for an export. A text that reads as a checkpoint is refused with `NoteNotValid`: only
    the sealer says how large the log is. Raises `KeyTrouble`.
    """
    try:
        read_checkpoint(text)
    except NoteNotValid:
        return signed(text, signers_for(signing_keys()))
    raise NoteNotValid("Only the sealer signs checkpoints.")


def signing_keys(*, using: str = "default") -> list[VerifierKey]:
    """The keys that sign for the newest log now, the oldest first."""
    rows = LogKey.objects.using(using).filter(retired_at=None).order_by("added_at", "verifier")
    newest = max((row.log_id for row in rows), default=None)
    return [row.key for row in rows if row.log_id == newest]


def new_key() -> SigningKey:
    """A key that this installation had not: the command's, or one in a new file beside the first.

    Raises `KeyTrouble`.
    """
    command = settings.COUNTERSIGN.signing_command
    if command:
        return from_command(command)
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    first = _path()
    path = first.with_name(f"{first.stem}-{public.hex()[:12]}{first.suffix}")
    content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyTrouble(f"No new key can be kept in {path} ({error.strerror}).") from error
    return from_file(path)


def from_file(path: Path) -> SigningKey:
    """The key in a PEM file; raises `KeyTrouble` that says what is wrong with it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes()
    except FileNotFoundError:
        raise KeyTrouble(f"There is no signing key at {path}.") from None
    except OSError as error:
        raise KeyTrouble(f"The signing key {path} cannot be read ({error.strerror}).") from error
    if mode & 0o077:
        raise KeyTrouble(
            f"The signing key {path} may be used by others than its owner (mode {mode:04o}): "
            "chmod it to 0600, and rotate it if somebody could have read it."
        )
    try:
        private = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyTrouble(f"The signing key {path} is not a private key in PEM.") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyTrouble(f"The signing key {path} is not an Ed25519 key.")
    return SigningKey(private.public_key().public_bytes_raw(), private.sign)


def from_command(command: str) -> SigningKey:
    """The key that a command keeps: `COMMAND public` prints it, `COMMAND sign` signs its standard input.

    Both answers are base64. Raises `KeyTrouble`.
    """
    words = shlex.split(command)

    def sign(message: bytes) -> bytes:
        return _asked([*words, "sign"], message)

    return SigningKey(_asked([*words, "public"], b""), sign)


def _sources() -> list[Callable[[], SigningKey]]:
    path, command = _path(), settings.COUNTERSIGN.signing_command
    others = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))
    files = [path, *others] if path.exists() or not command else others
    found: list[Callable[[], SigningKey]] = [_reader(each) for each in files]
    return [lambda: from_command(command), *found] if command else found


def _reader(path: Path) -> Callable[[], SigningKey]:
    return lambda: from_file(path)


def _path() -> Path:
    return Path(settings.COUNTERSIGN.signing_key_path)


def _asked(command: list[str], message: bytes) -> bytes:
    try:
        answer = subprocess.run(
            command, input=message, capture_output=True, check=True, timeout=COMMAND_SECONDS
        )
        return base64.b64decode(answer.stdout.strip(), validate=True)
    except subprocess.CalledProcessError as error:
        raise KeyTrouble(f"The signing command ended with {error.returncode}.") from error
    except (OSError, subprocess.TimeoutExpired, binascii.Error) as error:
        raise KeyTrouble(f"The signing command gave no answer ({type(error).__name__}).") from error
