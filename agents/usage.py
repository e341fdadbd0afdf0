"""How many tokens a model call takes: what can be said before it, and what is believed after it. Pure.

A server may report nothing, too little or nonsense. No tokenizer is asked: bounds come from the bytes that
went over the wire, wide enough that an honest server always lies within them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: Prose has four or five bytes a token, JSON three or four; dense scripts and digits come near two.
LEAST_BYTES: Final = 2
USUAL_BYTES: Final = 3
MOST_BYTES: Final = 6
#: Servers write descriptions of tools more briefly than JSON before the model reads them.
MOST_BYTES_OF_TOOLS: Final = 12
#: Instructions of the server's own, and a reply that is thought about but not sent.
UNSEEN_IN: Final = 10_000
UNSEEN_OUT: Final = 250_000


def most_tokens_in(request: Mapping[str, Any]) -> int:
    """The most that sending this request takes, of text as it is met."""
    return (
        _bytes(request.get("messages")) // LEAST_BYTES + _bytes(request.get("tools")) // LEAST_BYTES
    )


def believed_in(reported: int | None, request: Mapping[str, Any]) -> int:
    """The reported tokens of a request, or the nearest number that can be true; None was not reported."""
    said, offered = _bytes(request.get("messages")), _bytes(request.get("tools"))
    if reported is None:
        return (said + offered) // USUAL_BYTES
    least = said // MOST_BYTES + offered // MOST_BYTES_OF_TOOLS
    return min(max(reported, least), said + offered + UNSEEN_IN)


def believed_out(reported: int | None, text: str, calls: Sequence[str]) -> int:
    """The reported tokens of a reply with this text and these calls, or the nearest number that can be true."""
    written = len(text.encode("utf-8", "replace")) + sum(
        len(call.encode("utf-8", "replace")) for call in calls
    )
    if reported is None:
        return written // USUAL_BYTES
    return min(max(reported, written // MOST_BYTES), written + UNSEEN_OUT)


def _bytes(value: Any) -> int:
    if not value:
        return 0
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
