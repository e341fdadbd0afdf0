"""MCP servers whose tools agents may use: where they are and how they are asked, as the settings name them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from agents.definition_rules import SECRET
from agents.endpoints import plain_address
from audit.named_settings import named

SERVERS: Final = (
    'is a JSON object of names and servers, such as {"warehouse": {"url": "https://HOST/mcp", "headers": '
    '{"Authorization": "Bearer {warehouse_token}"}}} or {"files": {"command": "mcp-files", "args": [], '
    '"env": {"FILES_KEY": "{files_key}"}}}'
)
HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
TEMPLATE: Final = re.compile(r"([^{}]*)\{([a-z0-9_]+)\}([^{}]*)")


class McpServer(BaseModel):
    """One server: a `url` (streamable HTTP) with `headers`, or a `command` (stdio) with `args` and `env`.

    Values of headers and variables name the secret that goes into them, `Bearer {warehouse_token}`, and hold
    none themselves: it comes from `COUNTERSIGN_SECRET_WAREHOUSE_TOKEN`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str = ""
    headers: dict[str, str] = {}
    command: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if bool(self.url) == bool(self.command):
            raise ValueError("name a url or a command, and not both")
        if self.url:
            if self.args or self.env:
                raise ValueError("args and env belong to a command")
            if plain_address(self.url) != self.url:
                raise ValueError("url: leave the slash at its end away")
        elif self.headers:
            raise ValueError("headers belong to a url")
        for name in self.headers:
            if not HEADER.fullmatch(name):
                raise ValueError(f"headers: {name!r} is no name of a header")
        for name in self.env:
            if not VARIABLE.fullmatch(name):
                raise ValueError(f"env: {name!r} is no name of a variable")
        for name, value in {**self.headers, **self.env}.items():
            found = TEMPLATE.fullmatch(value)
            if found is None or not SECRET.fullmatch(found[2]):
                raise ValueError(
                    f"{name}: name one secret in braces, such as {{warehouse_token}}; none stands here itself"
                )
        return self

    @property
    def secrets(self) -> frozenset[str]:
        """Names of the secrets that go into its headers and variables."""
        named = (TEMPLATE.fullmatch(value) for value in {**self.headers, **self.env}.values())
        return frozenset(found[2] for found in named if found)

    def filled(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """Its headers, or its variables, with the secrets in them. Raises KeyError where one is not set."""
        made = {}
        for name, value in {**self.headers, **self.env}.items():
            found = TEMPLATE.fullmatch(value)
            assert found is not None, "validated"
            made[name] = f"{found[1]}{secrets[found[2]]}{found[3]}"
        return made


def named_servers(text: str) -> dict[str, McpServer]:
    """The servers in the setting; ValueError says what does not fit, and of which, and never a value."""
    return named(text, TypeAdapter(McpServer), SERVERS)
