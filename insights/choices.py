"""What the filters of the page offer: agents, versions and tools that have figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agents.hosted import titles_of
from agents.wording import plain
from insights.models import Slice
from insights.reading import Line


@dataclass(frozen=True)
class Choices:
    """Names and what they are called, in their order; versions of one agent, where that is chosen."""

    agents: list[tuple[str, str]]
    versions: list[tuple[str, str]]
    tools: list[tuple[str, str]]

    @property
    def titles(self) -> dict[str, str]:
        """What agents are called."""
        return dict(self.agents)


def lines() -> dict[int, Line]:
    """All slices that have figures, by key: as many as there are agents, versions and tools. One statement."""
    rows = Slice.objects.values_list("pk", "agent", "version", "category", "tool")
    return {pk: Line(*told) for pk, *told in rows}


def choices(known: Iterable[Line], agent: str) -> Choices:
    """Versions and tools are those of the agent, where one is chosen. One statement."""
    rows = list(known)
    titles = titles_of({row.agent for row in rows})
    named = {(row.agent, titles.get(row.agent, row.agent)) for row in rows}
    here = [row for row in rows if agent in ("", row.agent)]
    versions = {
        (row.version, f"{titles.get(row.agent, row.agent)} {row.version[7:19]}") for row in here
    }
    tools = {(row.tool, plain(row.tool)) for row in here if row.tool}
    return Choices(*(sorted(each, key=_called) for each in (named, versions, tools)))


def _called(each: tuple[str, str]) -> str:
    return each[1].casefold()
