"""Witnesses that cosign the log's checkpoints, as the settings name them (`COUNTERSIGN_WITNESSES`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, TypeAdapter, field_validator

from audit.merkle.cosignatures import WitnessKey
from audit.merkle.notes import NoteNotValid
from audit.named_settings import named
from audit.streaming.sinks import plain_web_address

WITNESSES: Final = (
    'is a JSON object of names and witnesses, such as {"first": {"url": "https://HOST/PREFIX", "key": '
    '"NAME+HASH+BASE64"}}'
)


class Witness(BaseModel):
    """A witness: the address below which it takes `add-checkpoint`, and its public key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str
    key: str
    ca_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        return plain_web_address(value).rstrip("/")

    @field_validator("key")
    @classmethod
    def _is_key(cls, value: str) -> str:
        try:
            WitnessKey.read(value)
        except NoteNotValid as wrong:
            raise ValueError(str(wrong)) from None
        return value

    @property
    def to(self) -> str:
        """Host and port, for people."""
        return urlsplit(self.url).netloc

    @property
    def verifier(self) -> WitnessKey:
        """The key as it verifies."""
        return WitnessKey.read(self.key)


def named_witnesses(text: str) -> dict[str, Witness]:
    """The witnesses in the setting; ValueError says what does not fit, and of which."""
    found = named(text, TypeAdapter(Witness), WITNESSES)
    if len({witness.key for witness in found.values()}) < len(found):
        raise ValueError("names one key twice")
    return found
