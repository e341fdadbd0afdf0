"""What may be decided together with others: only what is safe to decide without a page of its own. Pure."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext

from approvals.vocabulary import Friction, Kind, Risk, Verdict
from audit.canonical import sha256_hex
from audit.wordings import Words

MOST = 50
VERDICTS = frozenset({Verdict.APPROVE, Verdict.REJECT})
HIGHEST_RISK = Risk.MEDIUM

_FRICTION = Words(
    {
        Friction.READING: "asks for reading time",
        Friction.TYPED: "something has to be typed",
        Friction.SECOND_FACTOR: "asks for a second factor",
    }
)


def why_alone(*, kind: str, risk: str, friction: str, hidden: bool) -> str:
    """Why such a request is decided on its own, in a few words; empty where it may stand in a batch.

    `hidden`: there are arguments that the person may not see.
    """
    if kind != Kind.ACTION:
        return gettext("not an action")
    if Risk(risk) > HIGHEST_RISK:
        return gettext("{risk} risk").format(risk=risk)
    if friction != Friction.NONE:
        return _FRICTION[Friction(friction)]
    if hidden:
        return gettext("has arguments that are not open to you")
    return ""


def nonce_for(batch: str, request_id: UUID) -> str:
    """The nonce of one request's decision in a batch: the same batch sent again is the same decisions."""
    return f"batch-{sha256_hex(f'{batch} {request_id}'.encode()).removeprefix('sha256:')}"
