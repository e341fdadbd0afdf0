"""What approvals needs from the app that runs agents, which fills it in with `install`.

Without such an app the null port answers: approvals then serves agents that run elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from approvals.errors import EditingUnavailable
from approvals.schemas import Preview, ProposedAction
from approvals.tightening import ToolFacts

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import User
    from approvals.models import ApprovalRequest


@dataclass(frozen=True)
class Validated:
    """Arguments that the tool's own schema took.

    `sensitive` and `cosmetic` name top-level arguments; `schema` is the tool's JSON Schema.
    `action` is ready for the gate and carries the same arguments and digest.
    """

    arguments: dict[str, Any]
    digest: str
    schema: dict[str, Any]
    sensitive: tuple[str, ...]
    cosmetic: tuple[str, ...]
    action: ProposedAction


@dataclass(frozen=True)
class Looked:
    """What an edited call would do now. `elsewhere`: it acts on another world than the one that people were
    shown before the edit, such as other rows."""

    preview: Preview
    elsewhere: bool


@dataclass(frozen=True)
class Operation:
    """Where the approved call stands: `state` a word, `sentence` for a person, `at` since when."""

    state: str
    sentence: str
    at: datetime | None = None


@dataclass(frozen=True)
class HandedBy:
    """The run that handed work to another: its id, where the person may open it, its title then, and its
    agent's."""

    run: UUID | None
    title: str
    agent: str


@dataclass(frozen=True)
class PastCall:
    """One call as it went before the gate: action, confidence and context as JSON of their schemas.
    `request` is the one by which people decided on it, where they did."""

    at: datetime
    action: dict[str, Any]
    confidence: dict[str, Any]
    context: dict[str, Any]
    request: UUID | None


class Runs(Protocol):
    """The runs behind the requests."""

    def lock(self, run_id: UUID) -> None:
        """Lock the run's row until the transaction ends. Taken before any request's row."""

    def validate_arguments(
        self, agent: str, agent_version: str, tool: str, arguments: dict[str, Any]
    ) -> Validated:
        """Check edited arguments against the tool that this agent version declares.

        Raises `audit.errors.Invalid` with `params["errors"]`: a list of {field, message}.
        """

    def look_at_edit(self, request: ApprovalRequest, arguments: dict[str, Any]) -> Looked:
        """What the request's call would do with these arguments, which were validated. From now on the world
        that was looked at is the one that an approval of them is for.

        In the deciding transaction, which holds the run's row.
        """

    def validate_answer(
        self, agent: str, agent_version: str, output: dict[str, Any]
    ) -> dict[str, Any]:
        """A corrected final answer as this agent version takes it.

        Raises `audit.errors.Invalid` with `params["errors"]`: a list of {field, message}.
        """

    def operations(self, requests: Sequence[ApprovalRequest]) -> dict[UUID, Operation]:
        """Where the calls of these requests stand, by request id. One query for all."""

    def may_see(self, user: User, run_id: UUID) -> bool:
        """Whether the person may see the run."""

    def active(self, caller: Caller, *, most: int) -> int:
        """How many runs that the person may see are under way or in line, counted up to `most`."""

    def run_title(self, run_id: UUID) -> str:
        """A line by which a person knows the run; empty when there is none."""

    def handed_by(self, user: User, run_id: UUID) -> HandedBy | None:
        """The run that handed work to this one; None where nobody did."""

    def stopped(self, agent: str, tool: str) -> str | None:
        """A sentence when a kill switch holds for this agent or tool; else None."""

    def past_calls(self, since: datetime, until: datetime) -> Iterable[PastCall]:
        """Every call that was judged in [since, until), the oldest first; read as it is asked for."""

    def past_calls_number(self, since: datetime, until: datetime) -> int:
        """How many those are."""

    def versions_of(self, category: str) -> Sequence[str]:
        """Digests of all versions of agents of a category."""
        ...

    def catalogue(self) -> tuple[ToolFacts, ...]:
        """Every tool of every agent that is installed, by agent and name."""

    def without_secrets(self, text: str) -> str:
        """The text with a mark in place of every secret of a tool, in whatever form it stands there."""


class NullRuns:
    """No runs here: nothing to lock, nothing to validate, nothing under way."""

    def lock(self, run_id: UUID) -> None:
        """Nothing to lock."""

    def validate_arguments(
        self, agent: str, agent_version: str, tool: str, arguments: dict[str, Any]
    ) -> Validated:
        """Nobody here knows the tool's schema, so nothing can be edited."""
        raise EditingUnavailable(tool)

    def look_at_edit(self, request: ApprovalRequest, arguments: dict[str, Any]) -> Looked:
        """Nothing can be edited."""
        raise EditingUnavailable(request.tool)

    def validate_answer(
        self, agent: str, agent_version: str, output: dict[str, Any]
    ) -> dict[str, Any]:
        """As it is: the schema that the request carries is all there is to hold it against."""
        return output

    def operations(self, requests: Sequence[ApprovalRequest]) -> dict[UUID, Operation]:
        """Nothing is under way."""
        return {}

    def may_see(self, user: User, run_id: UUID) -> bool:
        """There are none to see."""
        return False

    def active(self, caller: Caller, *, most: int) -> int:
        """There are none."""
        return 0

    def run_title(self, run_id: UUID) -> str:
        """There are no titles."""
        return ""

    def handed_by(self, user: User, run_id: UUID) -> HandedBy | None:
        """There is none."""
        return None

    def stopped(self, agent: str, tool: str) -> str | None:
        """There are no switches."""
        return None

    def past_calls(self, since: datetime, until: datetime) -> Iterable[PastCall]:
        """There were none."""
        return ()

    def past_calls_number(self, since: datetime, until: datetime) -> int:
        """There were none."""
        return 0

    def versions_of(self, category: str) -> Sequence[str]:
        """None are known."""
        return ()

    def catalogue(self) -> tuple[ToolFacts, ...]:
        """Nobody is known here."""
        return ()

    def without_secrets(self, text: str) -> str:
        """As it is: no tool here has any."""
        return text


@dataclass
class _Slot:
    runs: Runs


_slot = _Slot(NullRuns())


def install(runs: Runs) -> None:
    """Fill the port; called once, in `AppConfig.ready` of the app that runs agents."""
    _slot.runs = runs


def runs() -> Runs:
    """The installed port."""
    return _slot.runs
