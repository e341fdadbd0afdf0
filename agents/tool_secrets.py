"""The secrets of this process's settings: handed to the tool that declares them, and kept from all texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.conf import settings

from agents.secret_masks import VARIABLE, SecretMasks, masks_for
from agents.tools import Tool


class SecretNotSet(LookupError):
    """The tool asks for a secret that it did not declare, or that the environment does not give."""


class Handed(Mapping[str, str]):
    """The secrets that one tool declared, by name. It never shows a value by itself."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        try:
            return self._values[name]
        except KeyError:
            raise SecretNotSet(f"{name} is not declared by the tool, or not set") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<secrets {', '.join(sorted(self._values))}>"


def secrets_of(tool: Tool) -> Mapping[str, str]:
    """What the tool is handed: of the secrets that it declares, those that are set."""
    given = settings.COUNTERSIGN.tool_secrets
    return Handed({name: given[name] for name in tool.secrets if name in given})


def missing_secrets(tool: Tool) -> list[str]:
    """Names of secrets that the tool declares and nobody has set."""
    return sorted(tool.secrets - settings.COUNTERSIGN.tool_secrets.keys())


def variable_of(name: str) -> str:
    """The environment variable that gives the secret."""
    return f"{VARIABLE}{name.upper()}"


def current_masks() -> SecretMasks:
    """What finds the secrets of all tools, whichever was handed them."""
    return masks_for(tuple(sorted(settings.COUNTERSIGN.tool_secrets.items())))


def without_secrets(text: str) -> str:
    """The text with a mark in place of every secret of a tool."""
    return current_masks().text(text)
