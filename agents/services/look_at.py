"""Look at a run: what of it the reader may not see, and word of it where an auditor sees all."""

from __future__ import annotations

from django.db import transaction

from accounts.callers import Caller
from agents.events import tell
from agents.models import Run
from agents.withheld import sensitive_values
from approvals.eligibility import reads_sensitive
from approvals.withholding import Withheld


def look_at(run: Run, caller: Caller) -> Withheld:
    """The values that may not reach the caller in this run. Each look of an auditor at them is recorded.

    No query unless the run's agent has sensitive arguments; for readers who are no auditors none at all.
    """
    reads = reads_sensitive(caller)
    if reads and not caller.holds("read_audit"):
        return Withheld()
    values = sensitive_values([run]).get(run.pk, frozenset())
    if not reads:
        return Withheld(values)
    if values:
        with transaction.atomic():
            tell(run, "run.sensitive_read", actor=caller.actor)
    return Withheld()
