"""Where sealed events are streamed to, as the settings name it (`COUNTERSIGN_AUDIT_SINKS`).

Addresses come from the settings alone: nobody who uses the product can name one. None holds a secret, since they
stand in logs and on pages; a secret is read from a variable or a file of its own.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    field_validator,
    model_validator,
)

from audit.named_settings import named

SINKS: Final = (
    'is a JSON object of names and sinks, such as {"siem": {"kind": "webhook", "url": "https://HOST/PATH", '
    '"secret": {"env": "SIEM_SECRET"}}, "collector": {"kind": "syslog", "address": "tls://HOST:6514"}, '
    '"archive": {"kind": "file", "path": "/var/log/countersign/audit.jsonl"}}'
)
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
OURS: Final = "COUNTERSIGN_"
HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
NOT_TO_BE_SET: Final = frozenset({"content-type", "content-length", "host", "connection"})
SHORTEST_SECRET_BYTES: Final = 24
LONGEST_SECRET_BYTES: Final = 64
LARGEST_SECRET_FILE: Final = 16_384
PORTS: Final = {"tcp": 601, "tls": 6514}
_PRINTABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", re.ASCII)

Format = Literal["plain", "ocsf"]


def plain_web_address(url: str) -> str:
    """The address itself; ValueError says what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is no web address; write https://HOST/PATH")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("holds more than an address, which stands in logs: nothing secret may")
    return url


class SecretTrouble(Exception):
    """A secret is not there or cannot be used; the text is a sentence and holds nothing of it."""


class Secret(BaseModel):
    """A secret by the variable (`env`) or the file that holds it. A file is read anew for every message."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    env: str = ""
    file: Path | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if bool(self.env) == (self.file is not None):
            raise ValueError("name a variable (env) or a file, and not both")
        if self.env:
            if not VARIABLE.fullmatch(self.env) or self.env.startswith(OURS):
                raise ValueError(f"{self.env!r} is no name of a variable, or begins with {OURS}")
            if not os.environ.get(self.env):
                raise ValueError(f"{self.env}, which is to hold it, is not set")
        return self

    @field_validator("file")
    @classmethod
    def _is_absolute(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("write the file with its whole path")
        return value

    def read(self) -> str:
        """The secret without blanks around it; raises `SecretTrouble`."""
        if self.file is None:
            found = os.environ.get(self.env, "").strip()
        else:
            try:
                with self.file.open("rb") as file:
                    found = file.read(LARGEST_SECRET_FILE).decode().strip()
            except OSError as error:
                raise SecretTrouble(f"{self.file} cannot be read ({error.strerror}).") from error
            except UnicodeDecodeError as error:
                raise SecretTrouble(f"{self.file} is no text.") from error
        if not found:
            raise SecretTrouble(f"There is no secret in {self.file or self.env}.")
        return found


class _Sink(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Format = "plain"
    start: Literal["beginning", "now"] = "beginning"


class Webhook(_Sink):
    """A web address that takes signed batches (Standard Webhooks). `headers` are further ones, each a secret."""

    kind: Literal["webhook"]
    url: str
    secret: Secret
    headers: dict[str, Secret] = {}
    ca_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        return plain_web_address(value)

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        for name in self.headers:
            taken = name.lower() in NOT_TO_BE_SET or name.lower().startswith("webhook-")
            if taken or not HEADER.fullmatch(name):
                raise ValueError(f"headers: {name!r} is no name of a header that may be given")
        if self.secret.env:
            try:
                self.signing_secrets()
            except SecretTrouble as trouble:
                raise ValueError(f"secret: {trouble}") from None
        return self

    @property
    def to(self) -> str:
        """Host and port, for people."""
        return urlsplit(self.url).netloc

    def signing_secrets(self) -> list[str]:
        """The secrets that sign, parted by blanks while one takes the place of another; raises `SecretTrouble`."""
        found = self.secret.read().split()
        for each in found:
            try:
                key = base64.b64decode(each.removeprefix("whsec_"), validate=True)
            except (ValueError, binascii.Error):
                raise SecretTrouble("It is not base64, with or without whsec_ before it.") from None
            if not SHORTEST_SECRET_BYTES <= len(key) <= LONGEST_SECRET_BYTES:
                raise SecretTrouble(
                    f"It is not {SHORTEST_SECRET_BYTES} to {LONGEST_SECRET_BYTES} bytes long."
                )
        return found

    def further_headers(self) -> dict[str, str]:
        """The headers with what they hold; raises `SecretTrouble`."""
        found = {name: secret.read() for name, secret in self.headers.items()}
        for name, value in found.items():
            if not _PRINTABLE.fullmatch(value):
                raise SecretTrouble(
                    f"What is to stand in the header {name} is not printable ASCII."
                )
        return found


class Syslog(_Sink):
    """A collector that takes RFC 5424 over TCP (`tcp://HOST:PORT`) or TLS (`tls://HOST:PORT`)."""

    kind: Literal["syslog"]
    address: str
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        parts = self._parts
        if parts.scheme not in PORTS or not parts.hostname or parts.path or parts.query:
            raise ValueError("address: write tls://HOST:6514 or tcp://HOST:601")
        if parts.username or parts.password or parts.fragment:
            raise ValueError("address: holds more than an address")
        try:
            _ = parts.port
        except ValueError:
            raise ValueError("address: the port is no number below 65536") from None
        if parts.scheme == "tcp" and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError("ca_file, cert_file and key_file belong to tls://")
        if self.key_file and not self.cert_file:
            raise ValueError("key_file needs cert_file beside it")
        return self

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.address)

    @property
    def is_tls(self) -> bool:
        return self._parts.scheme == "tls"

    @property
    def host(self) -> str:
        return self._parts.hostname or ""

    @property
    def port(self) -> int:
        return self._parts.port or PORTS[self._parts.scheme]

    @property
    def to(self) -> str:
        """Host and port, for people."""
        return self._parts.netloc


class Lines(_Sink):
    """A file to which lines are appended, on the machine whose scheduler does it."""

    kind: Literal["file"]
    path: Path

    @field_validator("path")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        if not value.is_absolute():
            raise ValueError("write the file with its whole path")
        return value

    @property
    def to(self) -> str:
        """The file, for people."""
        return str(self.path)


Sink = Webhook | Syslog | Lines
_SINK: Final[TypeAdapter[Sink]] = TypeAdapter(Annotated[Sink, Field(discriminator="kind")])


def named_sinks(text: str) -> dict[str, Sink]:
    """The sinks in the setting; ValueError says what does not fit, and of which, and never a value."""
    return named(text, _SINK, SINKS, is_tagged=True)
