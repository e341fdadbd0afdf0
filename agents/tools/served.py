"""A tool that an MCP server carries out: which one, and what of its description is pinned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Served:
    """`problem` says why the tool cannot be used as it is pinned; `where` is the file and line that
    declares it. `pinned` is the digest of the pinned description."""

    server: str
    tool: str
    pinned: str = ""
    problem: str = ""
    where: str = ""

    def describe(self) -> dict[str, Any]:
        """What an agent version records of it."""
        return {"server": self.server, "tool": self.tool, "pinned": self.pinned}
