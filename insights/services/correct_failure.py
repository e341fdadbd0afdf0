"""Say why a run did not succeed, where the journal does not tell it right."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from agents.services.locking import require_control
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef
from insights.errors import NotCounted, NotFailed
from insights.models import Correction, RunFact
from insights.queues import count_on_commit
from insights.services.touch import touch
from insights.vocabulary import Failure


def correct_failure(*, run_id: UUID, failure: Failure, caller: Caller) -> RunFact:
    """The class holds until somebody gives another one; that of the journal stays beside it. Figures follow.

    Whoever may control the run may. Raises UnknownRun, a Forbidden, NotCounted, NotFailed.
    """
    require_control(run_id, caller)
    with transaction.atomic():
        # Gathering holds it too, so that neither writes over the other.
        fact = (
            RunFact.objects.select_for_update(of=("self",))
            .select_related("slice")
            .filter(pk=run_id)
            .first()
        )
        if fact is None:
            raise NotCounted
        if not fact.failure:
            raise NotFailed
        before = fact.failure
        if before == failure:
            return fact
        Correction.objects.update_or_create(
            run_id=run_id,
            defaults={
                "failure": failure.value,
                "corrected_by": caller.user,
                "corrected_at": database_now(),
            },
        )
        fact.failure = failure.value
        fact.save(update_fields=["failure"])
        touch([fact.day])
        record(
            type="run.failure_classified",
            actor=caller.actor,
            stream=f"run:{run_id}",
            agent=AgentRef(slug=fact.slice.agent, version=fact.slice.version),
            run=run_id,
            facts={"from_failure": before, "to_failure": failure.value},
        )
        count_on_commit()
        return fact
