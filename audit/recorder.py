"""The only writer of the log."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from audit.actors import Actor
from audit.schemas import ActionRef, AgentRef, Disclose, Outcome, PolicyRef


def record(
    *,
    type: str,
    actor: Actor,
    stream: str,
    agent: AgentRef | None = None,
    action: ActionRef | None = None,
    policy: PolicyRef | None = None,
    outcome: Outcome | None = None,
    request: UUID | None = None,
    run: UUID | None = None,
    facts: dict[str, Any] | None = None,
    disclosures: Sequence[Disclose] = (),
) -> UUID:
    """Write one event inside the caller's transaction and return its id."""
    raise NotImplementedError
