"""Agreement: whether the same question, asked again, gets the same call. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from agents.definitions import Agent
from agents.llm_types import Reply
from agents.models import Step
from agents.proposals import Proposal, read_call
from agents.tools import Tool
from approvals.coin import normalised

VERSION: Final = "1"


def agreeing(agent: Agent, reply: Reply, calls: Sequence[Step]) -> list[int]:
    """Seqs of the calls that another reply proposes too: the same tool on the same thing.

    The thing is what the tool's identity fields name, as the audit coin reads them; all arguments for a
    tool without any.
    """
    proposed = [
        _named(read.tool, read.normalised)
        for call in reply.calls
        if isinstance(read := read_call(agent, call), Proposal) and read.tool is not None
    ]
    return [
        step.seq
        for step in calls
        if (tool := agent.tool(step.name)) is not None
        and _named(tool, step.arguments or {}) in proposed
    ]


def _named(tool: Tool, arguments: dict[str, Any]) -> tuple[str, Any]:
    identity = {name: arguments.get(name) for name in sorted(tool.identity)}
    return tool.name, normalised(identity or arguments)


def share_bp(agreed: int, replies: int) -> int:
    """The share of replies that propose the call, in basis points, rounded down; the first counts too."""
    return (agreed + 1) * 10_000 // replies
