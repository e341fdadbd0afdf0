"""Codes of authenticator apps (RFC 6238): six digits of HMAC-SHA-1 over a count of half minutes. Pure."""

import base64
import hmac
import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

DIGITS: Final = 6
PERIOD_SECONDS: Final = 30
#: Steps before and after the one of now: RFC 6238, section 5.2, for slow fingers and clocks that drift.
TOLERANCE: Final = 1
SECRET_BYTES: Final = 20


def new_secret() -> str:
    """160 random bits as base32, as apps take them."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def code_at(secret: str, step: int) -> str:
    """The code of one half minute since 1970."""
    key = base64.b32decode(secret.encode(), casefold=True)
    # HMAC-SHA-1 is what apps speak; collisions of SHA-1 do not touch it (RFC 4226, appendix B.2).
    return HOTP(key, DIGITS, SHA1(), enforce_key_length=False).generate(step).decode()  # noqa: S303


def step_of(moment: datetime) -> int:
    return int(moment.timestamp()) // PERIOD_SECONDS


def matching_step(secret: str, code: str, now: datetime, after: int) -> int | None:
    """The step that the code is of, if it is one of now and later than `after`; else None.

    A code is good once: whoever takes it remembers the step and passes it as `after` from then on.
    """
    typed = "".join(code.split())
    found = None
    for step in _steps(now):
        # No early end: which of the steps fits is not told by the time it takes.
        if hmac.compare_digest(code_at(secret, step).encode(), typed.encode()) and step > after:
            found = step
    return found


def _steps(now: datetime) -> Iterator[int]:
    current = step_of(now)
    yield from range(current - TOLERANCE, current + TOLERANCE + 1)
