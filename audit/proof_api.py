"""Checkpoints and proofs for programs. Hashes are base64, as in the notes of C2SP."""

import base64
from typing import Annotated, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema

from audit.fact_schemas import moment_text
from audit.models import Checkpoint
from audit.ports import Caller
from audit.services.checkpoints import (
    NoCheckpoint,
    checkpoint_at,
    newest_checkpoint,
    prove_consistency,
    prove_event,
    verifier_keys,
)

router = Router(tags=["audit"])

Hash = Annotated[str, Field(description="32 bytes in base64")]
Size = Annotated[int, Field(ge=0, lt=2**63, description="Size of the log: how many events it held")]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class CheckpointOut(Schema):
    """A signed size and root of the log.

    `note` is the C2SP checkpoint, byte for byte; `keys` are all keys that ever signed, as C2SP verifier
    keys: which of them to trust is for the reader to know.
    """

    origin: str
    size: Size
    root: Hash
    note: str
    signed_at: Moment
    keys: list[str]


class EventProofOut(Schema):
    """That an event stands in the log (RFC 9162, 2.1.3): `path` leads from `leaf_hash` to the root."""

    event: UUID
    index: Size
    leaf_hash: Hash
    path: list[Hash]
    checkpoint: CheckpointOut


class ConsistencyOut(Schema):
    """That the log of the second checkpoint begins with the log of the first (RFC 9162, 2.1.4)."""

    first: CheckpointOut
    second: CheckpointOut
    path: list[Hash]


@router.get(
    "audit/checkpoint",
    response=CheckpointOut,
    summary="The newest checkpoint",
    operation_id="read_checkpoint",
)
def read_checkpoint(request: HttpRequest, size: Size | None = None) -> CheckpointOut:
    """The newest signed checkpoint, or the one of `size`. Needs the scope `audit`."""
    _caller(request).require("read_audit", scope="audit")
    found = newest_checkpoint() if size is None else checkpoint_at(size)
    if found is None:
        raise NoCheckpoint("The log has no checkpoint yet; ask again in a moment.")
    return _out(found)


@router.get(
    "audit/events/{uuid:event_id}/proof",
    response=EventProofOut,
    summary="Prove that an event is in the log",
    operation_id="prove_event",
)
def read_event_proof(
    request: HttpRequest, event_id: UUID, size: Size | None = None
) -> EventProofOut:
    """The inclusion proof under the newest checkpoint, or the one of `size`. Needs the scope `audit`."""
    caller = _caller(request)
    caller.require("read_audit", scope="audit")
    proof = prove_event(event_id, viewer=caller.user, size=size)
    return EventProofOut(
        event=proof.event,
        index=proof.index,
        leaf_hash=_encoded(proof.leaf_hash),
        path=[_encoded(each) for each in proof.path],
        checkpoint=_out(proof.checkpoint),
    )


@router.get(
    "audit/consistency",
    response=ConsistencyOut,
    summary="Prove that the log only grew",
    operation_id="prove_consistency",
)
def read_consistency(request: HttpRequest, first: Size, second: Size) -> ConsistencyOut:
    """The consistency proof between two checkpoints, named by size. Needs the scope `audit`."""
    _caller(request).require("read_audit", scope="audit")
    proof = prove_consistency(first, second)
    return ConsistencyOut(
        first=_out(proof.first),
        second=_out(proof.second),
        path=[_encoded(each) for each in proof.path],
    )


def _out(checkpoint: Checkpoint) -> CheckpointOut:
    return CheckpointOut(
        origin=checkpoint.log.origin,
        size=checkpoint.size,
        root=_encoded(bytes(checkpoint.root)),
        note=checkpoint.note,
        signed_at=moment_text(checkpoint.signed_at),
        keys=[str(key) for key in verifier_keys()],
    )


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _caller(request: HttpRequest) -> Caller:
    return cast(Caller, request.caller)  # type: ignore[attr-defined]
