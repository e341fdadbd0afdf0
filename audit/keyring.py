"""The subjects' data keys, wrapped by a key that is derived from the installation's secret.

Unwrapped keys are kept in memory for one transaction at most: a key that was erased is gone at once.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import uuid6
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import F, Func, TextField

from audit.disclosures import (
    KEY_BYTES,
    CannotOpen,
    WrappingKey,
    bound_to,
    digest_of,
    seal,
    unseal,
)
from audit.models import Disclosure
from audit.statements import rows

_derived = lru_cache(maxsize=8)(WrappingKey.derived_from)

# Arrays are told by a query of their own, whose length PostgreSQL does not look at: else it would plan the statement
# anew each time, which takes longer than to carry it out.
_FIND_OR_MAKE = """
WITH wanted AS (
    SELECT * FROM unnest((SELECT %s::text[]), (SELECT %s::uuid[]), (SELECT %s::bytea[]))
        AS given (subject, id, wrapped)
), known AS (
    SELECT wanted.subject, found.id, found.wrapped, found.wrapped_by
    FROM wanted CROSS JOIN LATERAL (
        SELECT id, wrapped, wrapped_by FROM audit_subjectkey AS stored
        WHERE stored.subject = wanted.subject ORDER BY created_at, id LIMIT 1
    ) AS found
), made AS (
    INSERT INTO audit_subjectkey (id, subject, wrapped, wrapped_by)
    SELECT id, subject, wrapped, %s::text FROM wanted
    WHERE subject NOT IN (SELECT subject FROM known)
    RETURNING subject, id, wrapped, wrapped_by
)
SELECT subject, id, wrapped, wrapped_by, false FROM known
UNION ALL SELECT subject, id, wrapped, wrapped_by, true FROM made
"""


@dataclass(frozen=True)
class DataKey:
    """A subject's key: its row's id and its 32 bytes."""

    id: UUID
    key: bytes


def wrapping_keys() -> dict[str, WrappingKey]:
    """The keys that subjects' keys may be wrapped with, by name; the first one wraps new ones."""
    secrets = [settings.COUNTERSIGN.secret_key, *getattr(settings, "SECRET_KEY_FALLBACKS", [])]
    return {key.name: key for key in map(_derived, secrets)}


class _AtHand(threading.local):
    """The keys that the transaction of this thread has read, by subject; None outside of `at_hand`."""

    keys: dict[str, DataKey] | None = None


_at_hand = _AtHand()


def key_of(kind: str, name: str = "pk") -> Func:
    """Annotated as `subject_key`, a row is read together with the key of the subject `kind:<its name>`, for
    `at_hand`. Costs no round trip."""
    return Func(
        F(name),
        template=f"(SELECT ARRAY[stored.id::text, encode(stored.wrapped, 'hex'), stored.wrapped_by]"  # noqa: S608
        f" FROM audit_subjectkey AS stored WHERE stored.subject = '{kind}:' || (%(expressions)s)::text"
        " ORDER BY stored.created_at, stored.id LIMIT 1)",
        output_field=ArrayField(TextField()),
    )


@contextmanager
def at_hand() -> Iterator[None]:
    """In the block, which is one transaction and no longer, keys that were read are not read again."""
    before, _at_hand.keys = _at_hand.keys, {}
    try:
        yield
    finally:
        _at_hand.keys = before


def put_at_hand(subject: str, row: object) -> None:
    """Have the subject's key, with which the row was read (`key_of`), at hand in this transaction."""
    stored: list[str] | None = vars(row).get("subject_key")
    if stored is None or _at_hand.keys is None:
        return
    key, wrapped, wrapped_by = stored
    _at_hand.keys[subject] = DataKey(
        UUID(key), unwrapped(subject, bytes.fromhex(wrapped), wrapped_by)
    )


def keys_for(subjects: Iterable[str]) -> dict[str, DataKey]:
    """A data key for each subject, made where there is none, in one statement or none."""
    kept = {} if _at_hand.keys is None else _at_hand.keys
    wanted = set(subjects)
    found = {subject: kept[subject] for subject in wanted if subject in kept}
    if len(found) < len(wanted):
        found |= _read(sorted(wanted - found.keys()), kept)
    return found


def _read(wanted: list[str], kept: dict[str, DataKey]) -> dict[str, DataKey]:
    found: dict[str, DataKey] = {}
    wrapping = next(iter(wrapping_keys().values()))
    ids = [uuid6.uuid7() for _ in wanted]
    fresh = [seal(wrapping.key, os.urandom(KEY_BYTES), subject.encode()) for subject in wanted]
    # What is made within a savepoint is gone again where that is rolled back.
    lasts = not connection.savepoint_ids
    for subject, key, wrapped, name, is_new in rows(
        _FIND_OR_MAKE, [wanted, ids, fresh, wrapping.name]
    ):
        found[subject] = DataKey(key, unwrapped(subject, bytes(wrapped), name))
        if lasts or not is_new:
            kept[subject] = found[subject]
    return found


def unwrapped(subject: str, wrapped: bytes, wrapped_by: str) -> bytes:
    """A subject's data key, or `CannotOpen` when the secret it was wrapped with is not configured."""
    wrapping = wrapping_keys().get(wrapped_by)
    if wrapping is None:
        raise CannotOpen(
            "The secret key that protects this disclosure is not configured; "
            "put the former SECRET_KEY into SECRET_KEY_FALLBACKS."
        )
    return unseal(wrapping.key, wrapped, subject.encode())


def open_disclosure(row: Disclosure) -> bytes:
    """The encoded disclosure, checked against its digest; raises CannotOpen."""
    key = unwrapped(row.key.subject, bytes(row.key.wrapped), row.key.wrapped_by)
    encoded = unseal(key, bytes(row.ciphertext), bound_to(row.event, row.digest))
    if digest_of(encoded) != row.digest:
        raise CannotOpen("This disclosure does not have the digest that stands in its event.")
    return encoded
