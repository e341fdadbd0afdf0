"""The secret audit coin: which actions that would run unseen a person looks at all the same. Pure.

`HMAC-SHA256(secret, run | tool | identity)`, its first 8 bytes over 2^64. Rewording an argument or
writing 42 for 42.00 draws nothing new, and asking again cannot draw again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from approvals.schemas import CoinToss, GateVerdict, ProposedAction
from audit.canonical import canonical_bytes


def draw(
    secret: str, *, run_id: UUID, tool: str, identity: Mapping[str, Any], label: str = "audit"
) -> float:
    """A number in [0, 1) that belongs to this run, tool and thing acted on."""
    named = canonical_bytes([label, str(run_id), tool, normalised(dict(identity))])
    mac = hmac.new(secret.encode(), named, hashlib.sha256).digest()
    # 53 bits are what a float holds; with more, the largest would round up to 1.
    return (int.from_bytes(mac[:8], "big") >> 11) / 2**53


def toss(
    secret: str,
    *,
    run_id: UUID,
    action: ProposedAction,
    verdict: GateVerdict,
    rate: float,
    hidden_rate: float,
) -> CoinToss:
    """The coin of this action with the rate in force.

    Only allowed, consequential actions are sampled, never reads. The score of a sample is hidden
    until it is decided, and on a random share of ordinary requests too.
    """
    identity = action.identity or action.arguments
    value = draw(secret, run_id=run_id, tool=action.tool, identity=identity)
    eligible = verdict.allowed and action.is_consequential
    is_sample = eligible and value < rate
    hidden = draw(secret, run_id=run_id, tool=action.tool, identity=identity, label="score")
    return CoinToss(
        value=value,
        rate=rate,
        propensity=rate if eligible else (0.0 if verdict.allowed or verdict.denied else 1.0),
        is_sample=is_sample,
        score_visible=not is_sample and hidden >= hidden_rate,
    )


def normalised(value: Any) -> Any:
    """The same thing written in one way: trimmed, case folded, numbers without idle zeros."""
    if isinstance(value, Mapping):
        return {str(key): normalised(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [normalised(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    text = " ".join(str(value).split()).casefold()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return f"{number.normalize():f}" if number.is_finite() else text
