"""Erase what the log knows about a subject; events, hashes and proofs stay as they are."""

from django.db import transaction

from audit.actors import Actor
from audit.models import Disclosure, SubjectKey
from audit.recorder import record
from audit.schemas import Outcome


def redact(*, subject: str, actor: Actor, reason_code: str) -> int:
    """Delete the subject's disclosures and keys; returns how many disclosures there were.

    `subject` is what the disclosures were recorded under, such as `person:7`. That it was done is an event.
    """
    with transaction.atomic():
        count = Disclosure.objects.filter(key__subject=subject).count()
        # The database deletes the disclosures with their keys, those of writers in flight included.
        SubjectKey.objects.filter(subject=subject)._raw_delete(using="default")
        record(
            type="disclosure.redacted",
            actor=actor,
            stream="log",
            outcome=Outcome(decision="redacted", reason_code=reason_code),
            facts={"subject": subject, "disclosures": count},
        )
    return count
