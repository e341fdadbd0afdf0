"""Witnesses that cosign the log's checkpoints, as the settings name them (`COUNTERSIGN_WITNESSES`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

from audit.canonical import MalformedJson, loads_strict
from audit.merkle.cosignatures import WitnessKey
from audit.merkle.notes import NoteNotValid
from audit.streaming.sinks import NAME, plain_web_address

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
    try:
        given: Mapping[str, Any] = TypeAdapter(dict[str, Any]).validate_python(
            loads_strict(text.encode())
        )
    except (MalformedJson, ValidationError):
        raise ValueError(WITNESSES) from None
    found: dict[str, Witness] = {}
    for name, value in given.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"names {name!r}; use small letters, digits and hyphens")
        try:
            found[name] = Witness.model_validate(value)
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, problem["loc"]))
            what = problem["msg"].removeprefix("Value error, ")
            raise ValueError(
                f"{name!r} cannot be used: {f'{where}: {what}' if where else what}"
            ) from None
    if len({witness.key for witness in found.values()}) < len(found):
        raise ValueError("names one key twice")
    return found
