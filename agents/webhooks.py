"""Signatures of the Standard Webhooks specification, version 1.0: symmetric, `v1`. Pure.

What is signed is `id.timestamp.body`, by HMAC-SHA256; the header holds base64 signatures with their
version, parted by spaces. See https://github.com/standard-webhooks/standard-webhooks.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

TOLERANCE_SECONDS: Final = 300
PREFIX: Final = "whsec_"
SHORTEST_SECRET_BYTES: Final = 24
LONGEST_SECRET_BYTES: Final = 64
MOST_SIGNATURES: Final = 10
ID = re.compile(r"[A-Za-z0-9_.:/@+\-]{1,200}", re.ASCII)
TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def decoded(secret: str) -> bytes:
    """The key of a secret as providers show it: base64, after `whsec_` or not.

    Raises ValueError, without the secret in it, when it is not base64 of 24 to 64 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("is not base64, with or without whsec_ before it") from None
    if not SHORTEST_SECRET_BYTES <= len(key) <= LONGEST_SECRET_BYTES:
        raise ValueError(f"is not {SHORTEST_SECRET_BYTES} to {LONGEST_SECRET_BYTES} bytes long")
    return key


def sign(secret: str, *, id: str, timestamp: int | str, body: bytes) -> str:
    """The signature of a message, as one entry of the header `webhook-signature`."""
    made = hmac.new(decoded(secret), f"{id}.{timestamp}.".encode() + body, sha256)
    return f"v1,{base64.b64encode(made.digest()).decode()}"


def is_signed(
    secrets: Sequence[str], *, id: str, timestamp: str, signatures: str, body: bytes, now: datetime
) -> bool:
    """Whether the message was signed with one of the secrets, within five minutes of `now`."""
    if not ID.fullmatch(id) or not TIMESTAMP.fullmatch(timestamp):
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    given = [entry.encode() for entry in signatures.split(" ")[:MOST_SIGNATURES]]
    # Every pair is compared, so that the time taken tells nothing of which one fits.
    found = [
        hmac.compare_digest(sign(secret, id=id, timestamp=timestamp, body=body).encode(), entry)
        for secret in secrets
        for entry in given
    ]
    return any(found)
