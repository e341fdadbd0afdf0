"""The subjects' data keys, wrapped by a key that is derived from the installation's secret.

Unwrapped keys are not kept in memory between events: a key that was erased is gone at once.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import uuid6
from django.conf import settings
from django.db import connection

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

_derived = lru_cache(maxsize=8)(WrappingKey.derived_from)

_FIND_OR_MAKE = """
WITH wanted AS (
    SELECT * FROM unnest(%s::text[], %s::uuid[], %s::bytea[]) AS given (subject, id, wrapped)
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
SELECT subject, id, wrapped, wrapped_by FROM known
UNION ALL SELECT subject, id, wrapped, wrapped_by FROM made
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


def keys_for(subjects: Iterable[str]) -> dict[str, DataKey]:
    """A data key for each subject, made where there is none, in one statement."""
    wanted = sorted(set(subjects))
    wrapping = next(iter(wrapping_keys().values()))
    ids = [uuid6.uuid7() for _ in wanted]
    fresh = [seal(wrapping.key, os.urandom(KEY_BYTES), subject.encode()) for subject in wanted]
    with connection.cursor() as cursor:
        cursor.execute(_FIND_OR_MAKE, [wanted, ids, fresh, wrapping.name])
        rows = cursor.fetchall()
    return {
        subject: DataKey(key, unwrapped(subject, bytes(wrapped), name))
        for subject, key, wrapped, name in rows
    }


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
