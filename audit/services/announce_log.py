"""Announce: the log's own names and keys are events of the log, each once."""

from collections.abc import Iterator
from typing import Any, Final

import orjson
from django.db import connection, transaction

from audit.actors import Actor
from audit.canonical import sha256_hex
from audit.merkle.notes import NoteNotValid, read_checkpoint, read_note
from audit.models import Event, Log, LogKey
from audit.recorder import record

TYPES: Final = ("log.began", "log.succeeded", "log.key_added", "log.key_retired")
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('audit_announce_log'))"


def announce_log(*, actor: Actor | None = None) -> int:
    """Record what the log's tables say of it and no event does yet; returns how many events.

    The sealer's login writes those tables and may record nothing, so the events come right after. Call it
    again at any time: what was said already is not said again.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ONE_AT_A_TIME)
        said = {_named(event) for event in Event.objects.of_type(*TYPES)}
        missing = [(kind, facts) for kind, facts in _facts() if _key(kind, facts) not in said]
        for kind, facts in missing:
            record(type=kind, actor=actor or Actor.system("sealer"), stream="log", facts=facts)
    return len(missing)


def _facts() -> Iterator[tuple[str, dict[str, Any]]]:
    for log in Log.objects.order_by("id"):
        facts: dict[str, Any] = {"origin": log.origin, "size": log.first_size}
        if log.former:
            yield "log.succeeded", facts | _former(log.former)
        else:
            yield "log.began", facts
        for key in LogKey.objects.filter(log=log).order_by("added_at", "verifier"):
            named = {"origin": log.origin, "key": key.verifier}
            yield "log.key_added", named | {"size": key.added_size}
            if key.retired_size is not None:
                yield "log.key_retired", named | {"size": key.retired_size}


def _former(note: str) -> dict[str, Any]:
    found = {"former_sha256": sha256_hex(note.encode())}
    try:
        said = read_checkpoint(read_note(note).text)
    except NoteNotValid:
        # What was kept was no checkpoint any more: its bytes are named all the same.
        return found
    return found | {"former": said.origin, "former_size": said.size}


def _named(event: Event) -> tuple[str, str, str]:
    return _key(event.type, orjson.loads(bytes(event.body)).get("facts", {}))


def _key(type: str, facts: dict[str, Any]) -> tuple[str, str, str]:
    return type, facts.get("origin", ""), facts.get("key", "")
