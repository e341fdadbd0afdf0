"""The form of a bearer token: cs_<prefix>_<secret>, of which only a hash is kept."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

_FORM: Final = re.compile(r"cs_([0-9a-f]{12})_([0-9a-f]{64})")


@dataclass(frozen=True)
class Bearer:
    """A token in clear: the prefix names it, the secret (256 bits, as hex) proves it."""

    prefix: str
    secret: str

    @classmethod
    def generate(cls) -> "Bearer":
        return cls(prefix=secrets.token_hex(6), secret=secrets.token_hex(32))

    @classmethod
    def parse(cls, text: str) -> "Bearer | None":
        match = _FORM.fullmatch(text)
        return cls(prefix=match[1], secret=match[2]) if match else None

    def __str__(self) -> str:
        return f"cs_{self.prefix}_{self.secret}"

    def __repr__(self) -> str:
        return f"Bearer(prefix={self.prefix!r})"  # a secret never reaches a log by accident

    @property
    def secret_sha256(self) -> bytes:
        """32 bytes. A plain hash suffices for a secret that is itself 256 random bits."""
        return hashlib.sha256(self.secret.encode()).digest()
