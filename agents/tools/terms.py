"""The words in which a tool speaks to the engine: what is known of a call, its errors, what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

Result = TypeVar("Result")


class EffectClass(StrEnum):
    """What is known about a call whose reply was lost."""

    TRANSACTIONAL = "transactional"
    """The effect commits in our own database together with its step."""
    IDEMPOTENT = "idempotent"
    """The provider accepts our key; the same call may be sent again with it."""
    QUERYABLE = "queryable"
    """The provider can be asked whether the call with our key happened."""
    OPAQUE = "opaque"
    """Neither: an unknown outcome goes to a person."""


class Trust(StrEnum):
    """Whether a result may contain text that somebody outside wrote."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class _Told(Exception):
    """An error whose text is for the model to read. `trust`: whether it may repeat what somebody outside
    wrote; None is as the tool's results."""

    def __init__(self, *said: object, trust: Trust | None = None) -> None:
        super().__init__(*said)
        self.trust = trust


class Retryable(_Told):
    """The call failed before it did anything and may be tried again."""


class Terminal(_Told):
    """The call failed and trying again would not help; the text is for the model to read."""


@dataclass(frozen=True)
class Accepted(Generic[Result]):
    """The result of an effect that its provider only accepts now and confirms later.

    `reference` is the provider's own name for it, 1 to 200 characters, by which its callback tells
    what became of it. Annotate the tool with `-> Accepted[YourResult]`.
    """

    result: Result
    reference: str


@dataclass(frozen=True)
class ToolContext:
    """What a tool is told about the call it serves.

    `idempotency_key` and `now` are the same for one effect, however often the call is sent. `secrets` holds
    only the values that the tool declared by name. `state_token` is the one that people approved the call by;
    empty where nobody was asked.
    """

    run_id: UUID
    agent: str
    initiator: str
    idempotency_key: str
    now: datetime
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    undoes: Undone | None = None
    state_token: str = ""


@dataclass(frozen=True)
class Undone:
    """The effect that a call takes back: its result as JSON, where known, and its idempotency key."""

    result: Any
    idempotency_key: str
