"""The practice model's script: a pure function of the conversation, for each agent that it knows."""

from __future__ import annotations

from collections.abc import Callable, Collection

from demo.practice import payouts, refund_desk, steward
from demo.practice.conversation import Conversation
from demo.practice.dictated import dictated_move
from demo.practice.moves import Move, abstain

Script = Callable[[Conversation, Collection[str], int | None], Move]

SCRIPTS: tuple[tuple[frozenset[str], Script], ...] = (
    (refund_desk.TOOLS, refund_desk.refund_move),
    (payouts.TOOLS, payouts.payout_move),
    (steward.TOOLS, steward.steward_move),
    (steward.CHECKER_TOOLS, steward.checker_move),
)
"""Scripts by the tools that must be offered for them, the first that fits. A model is told no agent's name."""


def next_move(talk: Conversation, offered: Collection[str], sample: int | None = None) -> Move:
    """The call that comes next; `sample` is the number of a further answer to the same conversation."""
    for tools, script in SCRIPTS:
        if tools <= set(offered):
            return script(talk, offered, sample)
    return dictated_move(talk, offered) or abstain(
        "The practice model knows the demo's agents, and calls that a task dictates line by line, such as "
        'read_board {"word": ""}. Set OPENAI_BASE_URL for a real model.'
    )
