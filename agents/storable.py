"""Foreign data made fit for the journal: what PostgreSQL stores, RFC 8785 writes, and nobody keeps secret."""

from __future__ import annotations

import math
from typing import Any

from agents.secret_masks import SecretMasks
from agents.tool_secrets import current_masks
from audit.canonical import INTEGER_LIMIT


def storable(value: Any) -> Any:
    """The same JSON value without what cannot be kept: such parts become text that says the same.

    NUL and lone surrogates are replaced; numbers that are not finite, and integers of 2^53 and more,
    become text. A mark stands in place of a tool's secret, in whatever form it turns up.
    Raises RecursionError for nesting that Python cannot follow.
    """
    return _fit(value, current_masks())


def _fit(value: Any, masks: SecretMasks) -> Any:
    if isinstance(value, str):
        return masks.text(
            value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
        )
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return (
            _number(value, masks)
            if -INTEGER_LIMIT < value < INTEGER_LIMIT
            else masks.text(str(value))
        )
    if isinstance(value, float):
        return _number(value, masks) if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {_fit(key, masks): _fit(item, masks) for key, item in value.items()}
    if isinstance(value, list):
        return [_fit(item, masks) for item in value]
    return value


def _number(value: float, masks: SecretMasks) -> float | str:
    """The number; its text with a mark in it where its digits are a secret."""
    if not masks:
        return value
    shown = masks.text(str(value))
    return value if shown == str(value) else shown
