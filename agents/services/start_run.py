"""Start a run: the row, its audit event, and on commit a wake-up."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from pydantic import ValidationError

from accounts.callers import Caller
from agents import registry, spans
from agents.definitions import Agent
from agents.errors import (
    AgentDisabled,
    EverythingStopped,
    IdempotencyKeyReused,
    InvalidInput,
    UnknownAgent,
    VersionNotActive,
)
from agents.events import announce, tell
from agents.holding import held_for_now, is_held
from agents.kill_switches import WHOLE, KillSwitch, new_id
from agents.models import HostedAgent, Run
from agents.proposals import describe_errors
from agents.queues import RUNS, wake_on_commit
from agents.services.spent_budget import refuse_where_spent
from agents.storable import storable
from agents.titles import title_of
from agents.tools import Trust
from audit.canonical import canonical_bytes, loads_strict, sha256_hex
from audit.clock import database_now, moment_of, one_moment
from audit.prepared import CLOCK, Prepared
from audit.writes import insert

INPUT: Final = "its task"
"""What taints a run whose input may hold text of somebody outside."""

_hosted = Prepared(
    lambda slug: (
        HostedAgent.objects.select_related("active_version", "owner_group")
        .annotate(held=held_for_now("pk"), read_at=CLOCK)
        .filter(slug=slug)
        .order_by()
    ),
    "a-slug",
)


def start_run(
    *, agent: str, input: Any, caller: Caller, idempotency_key: str | None = None
) -> tuple[Run, bool]:
    """Start a run of the agent's active version; returns it and whether it is new.

    The same key of the same person gives the first run again. Raises UnknownAgent, AgentDisabled,
    EverythingStopped, VersionNotActive, BudgetSpent, InvalidInput, IdempotencyKeyReused, or Forbidden without the
    permission.
    """
    caller.require("start_runs", scope="run")
    try:
        with transaction.atomic():
            return _start(agent, input, caller, idempotency_key)
    except IntegrityError:
        # Two requests with one key met: the unique constraint let one through, which is there now.
        with transaction.atomic():
            return _start(agent, input, caller, idempotency_key)


def _start(agent: str, input: Any, caller: Caller, key: str | None) -> tuple[Run, bool]:
    """Look and start in one transaction, in which no kill switch is set."""
    hosted = _hosted.one(agent)
    definition = registry.find(agent)
    if hosted is None or definition is None:
        raise UnknownAgent(agent)
    normalised = normalised_input(definition, input)
    digest = sha256_hex(canonical_bytes(normalised))
    present = _present(caller, key, hosted, digest)
    if present is not None:
        return present, False
    if is_held(hosted):
        everything = KillSwitch.objects.active().filter(agent__isnull=True, tool=WHOLE)
        raise EverythingStopped if everything.exists() else AgentDisabled(agent)
    if hosted.active_version is None or hosted.active_version.digest != definition.version:
        raise VersionNotActive(agent)
    refuse_where_spent(hosted)
    with one_moment(moment_of(hosted)):
        return _insert(hosted, definition, normalised, digest, caller, key), True


def normalised_input(agent: Agent, value: Any) -> dict[str, Any]:
    """The input as the agent's model takes it, in its JSON form. Raises InvalidInput."""
    try:
        # Through text, so that what pydantic sees is what JSON can say, and nothing else.
        loads_strict(json.dumps(value))
        parsed = agent.input.model_validate_json(json.dumps(value)).model_dump(mode="json")
    except ValidationError as error:
        raise InvalidInput(describe_errors(error)) from error
    except (TypeError, ValueError) as error:
        raise InvalidInput("it is not plain JSON.") from error
    if storable(parsed) != parsed:
        raise InvalidInput(
            "it holds a NUL character, a tool's secret or a number that is too large."
        )
    return parsed


def _present(caller: Caller, key: str | None, hosted: HostedAgent, digest: str) -> Run | None:
    if key is None:
        return None
    run = (
        Run.objects.filter(initiator=caller.user, idempotency_key=key)
        .select_related("agent")
        .first()
    )
    # A simulated run has the input of the one that it comes from, and does nothing of what is asked for here.
    same = run is None or (run.agent_id, run.input_digest, run.simulated) == (
        hosted.pk,
        digest,
        False,
    )
    if not same:
        raise IdempotencyKeyReused
    return run


def _insert(
    hosted: HostedAgent,
    definition: Agent,
    normalised: dict[str, Any],
    digest: str,
    caller: Caller,
    key: str | None,
) -> Run:
    run_id = new_id()
    with spans.starting(run_id, hosted):
        return _insert_as(run_id, hosted, definition, normalised, digest, caller, key)


def _insert_as(
    run_id: UUID,
    hosted: HostedAgent,
    definition: Agent,
    normalised: dict[str, Any],
    digest: str,
    caller: Caller,
    key: str | None,
) -> Run:
    assert hosted.active_version is not None, "looked at before anything is written"
    run = Run(
        pk=run_id,
        agent=hosted,
        agent_version=hosted.active_version,
        initiator=caller.user,
        idempotency_key=key,
        input=normalised,
        input_digest=digest,
        title=title_for(normalised),
        tainted=definition.input_trust is Trust.UNTRUSTED,
        tainted_by=[INPUT] if definition.input_trust is Trust.UNTRUSTED else [],
        created_at=database_now(),
    )
    insert(run)
    tell(run, "run.started", actor=caller.actor)
    wake_on_commit(run.pk, run.wake_seq, RUNS)
    announce(run, "started", version=run.version)
    return run


def title_for(normalised: dict[str, Any]) -> str:
    """The line by which people know a run with this input."""
    first = next((value for value in normalised.values() if isinstance(value, str)), "")
    return title_of(first or json.dumps(normalised, ensure_ascii=False))
