"""Erasing as it is done: one records keeper proposes, another confirms."""

from accounts.callers import Caller
from audit.record_keeping import Erasure, ErasureReason
from audit.services.redact import confirm_erasure, propose_erasure
from tests.harness.people import person


def erase(subject: str) -> Erasure:
    """Erase a subject as two records keepers do."""
    one, other = (
        Caller.of_session(person(name, "records-keeper")) for name in ("keeper", "second-keeper")
    )
    proposed = propose_erasure(subject=subject, reason=ErasureReason.ASKED, caller=one)
    return confirm_erasure(erasure_id=proposed.pk, subject=subject, caller=other)
