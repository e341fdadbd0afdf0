"""Foreign data made fit for the journal: what PostgreSQL stores and RFC 8785 writes. Pure."""

from __future__ import annotations

import math
from typing import Any

from audit.canonical import INTEGER_LIMIT


def storable(value: Any) -> Any:
    """The same JSON value without what cannot be kept: such parts become text that says the same.

    NUL and lone surrogates are replaced; numbers that are not finite, and integers of 2^53 and more,
    become text. Raises RecursionError for nesting that Python cannot follow.
    """
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -INTEGER_LIMIT < value < INTEGER_LIMIT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return value
