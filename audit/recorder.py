"""The only writer of the log."""

import re
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import uuid6
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections
from pydantic import TypeAdapter

from audit.actors import Actor
from audit.canonical import OutsideProfile, event_bytes
from audit.disclosures import Salted, bound_to, salted, seal
from audit.errors import TooLarge
from audit.facts import checked_facts
from audit.keyring import keys_for
from audit.schemas import CODE_PATTERN, ActionRef, AgentRef, Disclose, Outcome, PolicyRef
from audit.statements import rows

BODY_VERSION: Final = 1
LARGEST_BODY: Final = 60_000
_SIZE_CONSTRAINT: Final = "audit_event_body_size"
_CODE = re.compile(CODE_PATTERN)
_STREAM = re.compile(
    r"(?:(?:request|run):[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|(?:person|agent):[A-Za-z0-9_.:@+\-]{1,150}|policy|log)",
    re.ASCII,
)
_APPEND = """
SELECT audit_append(
    %s::text, %s::uuid, %s::bytea, %s::bytea, %s::bytea, %s::bytea,
    %s::text[], %s::text[], %s::uuid[], %s::bytea[])
"""
_REFERENCES: Final[dict[type[Any], TypeAdapter[Any]]] = {
    kind: TypeAdapter(kind) for kind in (AgentRef, ActionRef, PolicyRef, Outcome)
}


class NoTransaction(Exception):
    """An event was recorded outside a transaction: it could outlive the change it speaks of."""

    def __init__(self) -> None:
        super().__init__(
            "record() writes into the transaction of the change: use transaction.atomic()."
        )


class EventTooLarge(TooLarge):
    """An event's body would exceed 60,000 bytes."""

    code = "event_too_large"

    def __init__(self, size: int) -> None:
        super().__init__(
            f"This event has {size} bytes and an event holds at most {LARGEST_BODY}. "
            "Store the payload elsewhere and record its SHA-256.",
            params={"bytes": size, "largest": LARGEST_BODY},
        )


def record(
    *,
    type: str,
    actor: Actor,
    stream: str,
    agent: AgentRef | None = None,
    action: ActionRef | None = None,
    policy: PolicyRef | None = None,
    outcome: Outcome | None = None,
    request: UUID | None = None,
    run: UUID | None = None,
    facts: dict[str, Any] | None = None,
    disclosures: Sequence[Disclose] = (),
    using: str = DEFAULT_DB_ALIAS,
) -> UUID:
    """Write one event inside the caller's transaction and return its id (UUIDv7).

    `stream` is `request:<uuid>`, `run:<uuid>`, `person:<id>`, `agent:<slug>`, `policy` or `log`; an event
    of a request that belongs to a run names both and stands in the request's stream. Its row stays
    locked until the transaction ends, so record last, after every other lock. Number, link and time are
    the database's. One statement; one more where there are disclosures.

    `using` names another login whose transaction it is; its events keep nothing apart.

    Raises `NoTransaction`, `OutsideProfile` (unknown type, unknown fact, a value that events do not
    hold) and `EventTooLarge`.
    """
    if not connections[using].in_atomic_block:
        raise NoTransaction
    event = uuid6.uuid7()
    body: dict[str, Any] = {
        "v": BODY_VERSION,
        "id": str(event),
        "type": type,
        "stream": _checked_stream(stream),
        "actor": _checked_actor(actor),
    }
    if entered := checked_facts(type, facts):
        body["facts"] = entered
    for name, reference in (
        ("agent", agent),
        ("action", action),
        ("policy", policy),
        ("outcome", outcome),
    ):
        if reference is not None:
            body[name] = _plain(reference)
    if run is not None:
        _name_run(body, run)
    if request is not None:
        body["request"] = str(request)
    kept = [salted(item.name, item.value) for item in disclosures]
    if kept:
        body["_sd"] = sorted(item.digest for item in kept)
    _append(stream, event, body, list(zip(disclosures, kept, strict=True)), using)
    return event


def _append(
    stream: str,
    event: UUID,
    body: dict[str, Any],
    kept: list[tuple[Disclose, Salted]],
    using: str,
) -> None:
    pieces = _pieces(body)
    size = sum(map(len, pieces))
    if size > LARGEST_BODY:
        raise EventTooLarge(size)
    keys = keys_for(item.subject for item, _ in kept) if kept else {}
    parameters: list[Any] = [
        stream,
        event,
        *pieces,
        [salt.digest for _, salt in kept],
        [item.name for item, _ in kept],
        [keys[item.subject].id for item, _ in kept],
        [
            seal(keys[item.subject].key, salt.encoded, bound_to(event, salt.digest))
            for item, salt in kept
        ],
    ]
    try:
        rows(_APPEND, parameters, using=using)
    except IntegrityError as error:
        # The exact size is known only where number, link and time are filled in.
        if (
            getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
            == _SIZE_CONSTRAINT
        ):
            raise EventTooLarge(size) from error
        raise


def _pieces(body: dict[str, Any]) -> tuple[bytes, bytes, bytes, bytes]:
    """The canonical body in the pieces around `prev`, `seq` and `time`, which the database fills in.

    Keys are sorted, so everything that sorts before `prev` is in the first piece, and so on.
    """
    first, second, third, last = (
        event_bytes({key: value for key, value in body.items() if low < key < high})[1:-1]
        for low, high in (("", "prev"), ("prev", "seq"), ("seq", "time"), ("time", "~"))
    )
    return (
        b"{" + first + b',"prev":',
        (b"," + second if second else b"") + b',"seq":',
        b"," + third + b',"time":"',
        b'",' + last + b"}",
    )


def _plain(reference: Any) -> dict[str, Any]:
    plain: dict[str, Any] = _REFERENCES[reference.__class__].dump_python(
        reference, mode="json", exclude_none=True
    )
    return plain


def _name_run(body: dict[str, Any], run: UUID) -> None:
    agent = body.setdefault("agent", {})
    if agent.setdefault("run", str(run)) != str(run):
        raise OutsideProfile(f"The event names two runs: {agent['run']} and {run}.")


def _checked_stream(stream: str) -> str:
    if not _STREAM.fullmatch(stream):
        raise OutsideProfile(f"{stream!r} is no stream of the log.")
    return stream


def _checked_actor(actor: Actor) -> dict[str, str]:
    plain = {"kind": actor.kind, "id": actor.id, "auth": actor.auth}
    if actor.kind not in ("person", "agent", "system") or not all(
        isinstance(value, str) and _CODE.fullmatch(value) for value in plain.values()
    ):
        raise OutsideProfile(f"{actor!r} cannot act: its kind, id and auth must be codes.")
    return plain
