"""Checkpoints and proofs for programs. Hashes are base64, as in the notes of C2SP."""

import base64
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema

from audit.api.shapes import Limit, Moment
from audit.fact_schemas import moment_text
from audit.models import Checkpoint
from audit.paging import page
from audit.ports import caller_of
from audit.services.checkpoints import (
    NoCheckpoint,
    checkpoint_at,
    newest_checkpoint,
    prove_consistency,
    prove_event,
    verifier_keys,
)

router = Router()

Hash = Annotated[str, Field(description="32 bytes in base64")]
Size = Annotated[int, Field(ge=0, lt=2**63, description="Size of the log: how many events it held")]


class SignedOut(Schema):
    """A signed size and root of the log. `note` is the C2SP checkpoint, byte for byte."""

    origin: str
    size: Size
    root: Hash
    note: str
    signed_at: Moment


class CheckpointOut(SignedOut):
    """The same with all keys that ever signed, as C2SP verifier keys: which of them to trust is for the reader
    to know."""

    keys: list[str]


class CheckpointsOut(Schema):
    """A page of checkpoints, the one signed last first."""

    items: list[SignedOut]
    next_cursor: str | None = None


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
    caller_of(request).require("read_audit", scope="audit")
    found = newest_checkpoint() if size is None else checkpoint_at(size)
    if found is None:
        raise NoCheckpoint("The log has no checkpoint yet; ask again in a moment.")
    return _out(found)


@router.get(
    "audit/checkpoints",
    response=CheckpointsOut,
    summary="Checkpoints",
    operation_id="list_checkpoints",
)
def list_checkpoints(
    request: HttpRequest, cursor: str | None = None, limit: Limit = 50
) -> CheckpointsOut:
    """Every checkpoint that was signed, the one signed last first. Needs the scope `audit`.

    Where a log lost events and was followed by a successor, those of the lost ones are listed too.
    """
    caller_of(request).require("read_audit", scope="audit")
    rows = Checkpoint.objects.select_related("log")
    shown = page(rows, order=("-id",), cursor=cursor, limit=limit)
    return CheckpointsOut(
        items=[SignedOut(**_signed(each)) for each in shown.items], next_cursor=shown.next_cursor
    )


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
    caller = caller_of(request)
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
    caller_of(request).require("read_audit", scope="audit")
    proof = prove_consistency(first, second)
    return ConsistencyOut(
        first=_out(proof.first),
        second=_out(proof.second),
        path=[_encoded(each) for each in proof.path],
    )


def _signed(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "origin": checkpoint.log.origin,
        "size": checkpoint.size,
        "root": _encoded(bytes(checkpoint.root)),
        "note": checkpoint.note,
        "signed_at": moment_text(checkpoint.signed_at),
    }


def _out(checkpoint: Checkpoint) -> CheckpointOut:
    return CheckpointOut(**_signed(checkpoint), keys=[str(key) for key in verifier_keys()])


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
