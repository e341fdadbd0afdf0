"""Events in the Open Cybersecurity Schema Framework, version 1.3.0.

Sign-ins are Authentication, accounts and second factors Account Change, review groups Group Management, and all else
API Activity. The body stands in `raw_data` byte for byte, its place in the log in `unmapped`, so that nothing is lost
by the mapping. An event whose body is kept no longer, and the checkpoint of a batch, are Base Events.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from audit.fact_schemas import moment_text
from audit.sentences import sentence
from audit.streaming.batches import Batch, Entry
from audit.streaming.severity import Severity, severity_of

VERSION: Final = "1.3.0"
PRODUCT: Final = "Countersign"
_PERSON: Final = "person:"


class Kind(NamedTuple):
    """A class of the schema and the activity in it."""

    class_uid: int
    activity_id: int

    @property
    def category_uid(self) -> int:
        return self.class_uid // 1000


OTHER: Final = 99
BASE: Final = Kind(0, OTHER)
_ACCOUNT, _AUTHENTICATION, _GROUP, _API = 3001, 3002, 3006, 6003
_KINDS: Final = {
    "signin.succeeded": Kind(_AUTHENTICATION, 1),
    "signin.failed": Kind(_AUTHENTICATION, 1),
    "signin.locked": Kind(_AUTHENTICATION, OTHER),
    "signin.refused": Kind(_AUTHENTICATION, 1),
    "signout": Kind(_AUTHENTICATION, 2),
    "signin.confirmed": Kind(_AUTHENTICATION, OTHER),
    "factor.used": Kind(_AUTHENTICATION, OTHER),
    "factor.failed": Kind(_AUTHENTICATION, OTHER),
    "person.created": Kind(_ACCOUNT, 1),
    "password.changed": Kind(_ACCOUNT, 3),
    "person.signed_out": Kind(_ACCOUNT, OTHER),
    "role.changed": Kind(_ACCOUNT, OTHER),
    "identity.linked": Kind(_ACCOUNT, OTHER),
    "identity.unlinked": Kind(_ACCOUNT, OTHER),
    "factor.added": Kind(_ACCOUNT, 10),
    "factor.removed": Kind(_ACCOUNT, 11),
    "factor.reset": Kind(_ACCOUNT, 11),
    "group.joined": Kind(_GROUP, 3),
    "group.left": Kind(_GROUP, 4),
    "group.created": Kind(_GROUP, 6),
}
_API_ACTIVITIES: Final = {
    **dict.fromkeys(
        ["started", "opened", "drafted", "created", "added", "granted", "asked", "drawn", "began"],
        1,
    ),
    **dict.fromkeys(["shown", "sensitive_read", "read", "downloaded"], 2),
    **dict.fromkeys(["deleted", "revoked", "redacted", "dropped"], 4),
    **dict.fromkeys(["called", "refused"], OTHER),
}
_UPDATE: Final = 3
_STATUS: Final = {True: (2, "Failure"), False: (1, "Success")}
_FAILED: Final = ("failed", "refused", "denied")


def event_of(entry: Entry, batch: Batch) -> dict[str, Any]:
    """One event of the log as an event of the schema."""
    place = {
        "log": batch.origin,
        "index": entry.index,
        "leaf_hash": base64.b64encode(entry.leaf_hash).decode(),
        "checkpoint_size": batch.size,
    }
    if entry.body is None:
        return _base(
            batch.signed_at,
            uid=str(entry.event),
            sequence=entry.index,
            message="The body of this event is kept no longer.",
            unmapped={**place, "gone": entry.why},
        )
    body = orjson.loads(entry.body)
    kind = kind_of(body["type"])
    failed = body["type"].rpartition(".")[2] in _FAILED
    status_id, status = _STATUS[failed]
    return {
        **_classified(kind, severity_of(body["type"])),
        "activity_name": body["type"],
        "time": _milliseconds(dt.datetime.fromisoformat(body["time"])),
        "message": sentence(body, {}),
        "status_id": status_id,
        "status": status,
        "metadata": _metadata(body["id"], entry.index)
        | {"event_code": body["type"], "log_name": batch.origin, "original_time": body["time"]}
        | _trace(body),
        "actor": _actor(body["actor"]),
        **_about(kind, body),
        "raw_data": entry.body.decode(),
        "unmapped": place,
    }


def closing_event(batch: Batch) -> dict[str, Any]:
    """The checkpoint and the proof of a batch, where events go one by one."""
    return _base(
        batch.signed_at,
        uid=batch.id,
        sequence=batch.until,
        message="A checkpoint of the audit log, and the proof of the events before it.",
        unmapped={
            "log": batch.origin,
            "first": batch.first,
            "until": batch.until,
            "checkpoint": batch.note,
            "proof": list(batch.proof),
        },
    )


def kind_of(event_type: str) -> Kind:
    """The class and activity that stand for a type of event."""
    known = _KINDS.get(event_type)
    if known is not None:
        return known
    return Kind(_API, _API_ACTIVITIES.get(event_type.rpartition(".")[2], _UPDATE))


def _base(
    moment: dt.datetime, *, uid: str, sequence: int, message: str, unmapped: dict[str, Any]
) -> dict[str, Any]:
    return {
        **_classified(BASE, Severity.INFORMATIONAL),
        "time": _milliseconds(moment),
        "message": message,
        "metadata": _metadata(uid, sequence) | {"original_time": moment_text(moment)},
        "unmapped": unmapped,
    }


def _classified(kind: Kind, severity: Severity) -> dict[str, Any]:
    return {
        "category_uid": kind.category_uid,
        "class_uid": kind.class_uid,
        "activity_id": kind.activity_id,
        "type_uid": kind.class_uid * 100 + kind.activity_id,
        "severity_id": int(severity),
        "severity": severity.name.capitalize(),
    }


def _metadata(uid: str, sequence: int) -> dict[str, Any]:
    return {
        "version": VERSION,
        "product": {"name": PRODUCT, "vendor_name": PRODUCT},
        "uid": uid,
        "sequence": sequence,
    }


def _trace(body: Mapping[str, Any]) -> dict[str, str]:
    """The trace of the run that the event is about, as spans and log lines name it."""
    run = body.get("agent", {}).get("run")
    return {"correlation_uid": str(run).replace("-", "")} if run else {}


def _actor(actor: Mapping[str, str]) -> dict[str, Any]:
    if actor["kind"] == "person":
        return {"user": _user(actor["id"])}
    if actor["kind"] == "agent":
        return {"user": {"uid": f"agent:{actor['id']}", "type_id": OTHER, "type": "Agent"}}
    return {"app_name": f"{PRODUCT} {actor['id']}"}


def _user(person: str) -> dict[str, Any]:
    return {"uid": person, "type_id": 1, "type": "User"}


def _about(kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a class asks for beside who acted."""
    facts = body.get("facts", {})
    person = facts.get("person") or _named_by(body)
    if kind.class_uid == _AUTHENTICATION:
        return {"user": _user(person), "service": {"name": PRODUCT}}
    if kind.class_uid == _ACCOUNT:
        return {"user": _user(person)}
    if kind.class_uid == _GROUP:
        group = {"group": {"name": facts.get("group", "unknown")}}
        return group | ({"user": _user(facts["person"])} if "person" in facts else {})
    return {
        "api": {"operation": body["type"], "service": {"name": PRODUCT}},
        "src_endpoint": {"svc_name": PRODUCT},
        "resources": list(_resources(body)),
    }


def _named_by(body: Mapping[str, Any]) -> str:
    """The person in whose stream the event stands, or who acted."""
    if body["stream"].startswith(_PERSON):
        return str(body["stream"].removeprefix(_PERSON))
    return str(body["actor"]["id"]) if body["actor"]["kind"] == "person" else "unknown"


def _resources(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    agent, action, policy = (body.get(each, {}) for each in ("agent", "action", "policy"))
    named = (
        ("request", body.get("request")),
        ("run", agent.get("run")),
        ("agent", agent.get("slug")),
        ("tool", action.get("tool")),
        ("policy", policy.get("version")),
        ("stream", body["stream"]),
    )
    return [{"type": what, "uid": str(uid)} for what, uid in named if uid is not None]


def _milliseconds(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)
