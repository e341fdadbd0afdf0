"""Record that something was refused, after the transaction that refused it rolled back."""

from typing import Any
from uuid import UUID

from django.db import transaction

from audit.actors import Actor
from audit.errors import Refusal
from audit.recorder import record
from audit.schemas import Outcome


def record_refusal(
    *,
    refusal: Refusal,
    type: str,
    actor: Actor,
    stream: str,
    request: UUID | None = None,
    run: UUID | None = None,
    facts: dict[str, Any] | None = None,
) -> UUID:
    """Write the refusal in a transaction of its own and return the event's id.

    The refusal's code becomes the reason; its sentence stays out, since it may hold names. Raises
    RuntimeError inside a transaction: there the record could roll back together with what it records.
    """
    with transaction.atomic(durable=True):
        return record(
            type=type,
            actor=actor,
            stream=stream,
            outcome=Outcome(decision="refused", reason_code=refusal.code),
            request=request,
            run=run,
            facts=facts,
        )
