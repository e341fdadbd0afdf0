"""For agents that the practice model does not know: it makes the calls that the task dictates. Pure.

A task of lines such as `put_up_notice {"text": "Closed."}` is called line by line; then it ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from demo.practice.conversation import Conversation
from demo.practice.moves import FINAL, Move

_LINE = re.compile(r"^\s*([a-z][a-z0-9_]*)\s+(\{.*\})\s*$")


def dictated_move(talk: Conversation, offered: Collection[str]) -> Move | None:
    """The next call of the task, or its end; None for a task that dictates nothing."""
    dictated = [found for line in talk.task.splitlines() if (found := _read(line, offered))]
    if not dictated:
        return None
    if len(talk.calls) < len(dictated):
        tool, arguments = dictated[len(talk.calls)]
        return Move(tool, arguments, rationale="The task dictates this call.")
    done = [call for call in talk.calls if call.done]
    said = f"{len(done)} of {len(dictated)} calls were done, as the task dictates."
    return Move(FINAL, {"summary": said, "relies_on": [call.id for call in done]})


def _read(line: str, offered: Collection[str]) -> tuple[str, dict[str, Any]] | None:
    found = _LINE.match(line)
    if found is None or found[1] not in offered:
        return None
    try:
        arguments = json.loads(found[2])
    except ValueError:
        return None
    return found[1], arguments
