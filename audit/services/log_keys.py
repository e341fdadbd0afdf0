"""Keys of the log: a new one signs beside the old, and the old one is retired when everybody knows the new."""

from django.db import connections, transaction

from audit.actors import Actor
from audit.errors import Conflict, NotFound
from audit.merkle.notes import VerifierKey
from audit.models import LogKey
from audit.sealed_tree import SEALER, locked
from audit.services.announce_log import announce_log
from audit.signing import new_key, signers_for

_ADD = "INSERT INTO audit_logkey (verifier, log_id, added_size) VALUES (%s, %s, %s)"
_RETIRE = """
UPDATE audit_logkey SET retired_at = clock_timestamp(), retired_size = %s
WHERE verifier = %s AND retired_at IS NULL
"""


def rotate_key(*, actor: Actor) -> VerifierKey:
    """Add a new key to the log: from the next checkpoint on it signs, and so do those before it.

    Raises `Conflict` where there is no log yet or the key signs already, and `audit.signing.KeyTrouble`.
    """
    with transaction.atomic(using=SEALER):
        state = locked()
        if state.log_id is None:
            raise Conflict("There is no sealed log yet: its first key is added when it begins.")
        added = VerifierKey(state.origin, new_key().public)
        signers_for([added])
        if LogKey.objects.using(SEALER).filter(pk=str(added)).exists():
            raise Conflict(f"The key {added.id.hex()} is a key of this log already.")
        with connections[SEALER].cursor() as cursor:
            cursor.execute(_ADD, [str(added), state.log_id, state.size])
    announce_log(actor=actor)
    return added


def retire_key(key_id: str, *, actor: Actor) -> VerifierKey:
    """Let a key sign no more; `key_id` are the eight digits in the middle of its verifier key.

    Raises `NotFound`, and `Conflict` for the last one that signs.
    """
    with transaction.atomic(using=SEALER):
        state = locked()
        rows = LogKey.objects.using(SEALER).filter(log_id=state.log, retired_at=None)
        signing = [row.key for row in rows]
        retired = next((key for key in signing if key.id.hex() == key_id), None)
        if retired is None:
            raise NotFound(f"No key {key_id} signs for the log.")
        if len(signing) == 1:
            raise Conflict("It is the only key that signs: rotate first.")
        with connections[SEALER].cursor() as cursor:
            cursor.execute(_RETIRE, [state.size, str(retired)])
    announce_log(actor=actor)
    return retired
