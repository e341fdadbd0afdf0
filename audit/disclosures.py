"""Salted disclosures as in SD-JWT (RFC 9901, section 4.2.1), encrypted with a key per subject.

The digest of a disclosure stands in the event's `_sd`. The disclosure itself lies in a table of its own,
encrypted; deleting it and its subject's keys erases the value, while the event and every proof stay valid.
"""

import hashlib
import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.canonical import canonical_bytes

SALT_BYTES = 16
KEY_BYTES = 32
_NONCE_BYTES = 12


class CannotOpen(Exception):
    """A ciphertext was changed, belongs elsewhere, or was made with a key that is not here."""


@dataclass(frozen=True)
class Salted:
    """A disclosure's encoded form and the digest that stands for it in the event."""

    encoded: bytes
    digest: str


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def salted(name: str, value: Any, *, salt: bytes | None = None) -> Salted:
    """Salt a value: 128 random bits unless a test gives its own."""
    content = canonical_bytes([base64url(salt or os.urandom(SALT_BYTES)), name, value])
    encoded = base64url(content).encode()
    return Salted(encoded, digest_of(encoded))


def digest_of(encoded: bytes) -> str:
    """base64url(SHA-256(disclosure)), as RFC 9901 writes digests."""
    return base64url(hashlib.sha256(encoded).digest())


def read(encoded: bytes) -> tuple[str, Any]:
    """Name and value of an encoded disclosure."""
    content = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    _salt, name, value = orjson.loads(content)
    return name, value


def bound_to(event: UUID, digest: str) -> bytes:
    """What a ciphertext is bound to, so that it cannot be moved to another event."""
    return f"{event}/{digest}".encode()


def seal(key: bytes, plaintext: bytes, context: bytes) -> bytes:
    """AES-256-GCM: a random 96-bit nonce followed by the ciphertext."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """The plaintext, or `CannotOpen`."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("This disclosure does not belong here or was changed.") from error


@dataclass(frozen=True)
class WrappingKey:
    """The key that wraps the subjects' keys; `name` tells it from others without revealing it."""

    name: str
    key: bytes

    @classmethod
    def derived_from(cls, secret: str) -> "WrappingKey":
        """HKDF-SHA-256 (RFC 5869) over the installation's secret key."""
        key = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"countersign audit subject keys").derive(
            secret.encode()
        )
        name = hmac.digest(key, b"countersign audit wrapping key name", "sha256").hex()[:16]
        return cls(name, key)
