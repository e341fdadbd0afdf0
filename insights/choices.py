"""What the filters of the page offer: agents, versions and tools that have figures."""

from __future__ import annotations

from dataclasses import dataclass

from agents.hosted import titles_of
from agents.wording import plain
from insights.models import Slice


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


def choices(agent: str) -> Choices:
    """Two statements, over as many rows as there are agents, versions and tools."""
    rows = list(Slice.objects.values_list("agent", "version", "tool"))
    titles = titles_of({name for name, _, _ in rows})
    named = sorted(
        ((name, titles.get(name, name)) for name in {row[0] for row in rows}), key=_called
    )
    here = [row for row in rows if agent in ("", row[0])]
    versions = sorted(
        {(version, f"{titles.get(name, name)} {version[7:19]}") for name, version, _ in here},
        key=_called,
    )
    tools = sorted(((tool, plain(tool)) for tool in {row[2] for row in here} if tool), key=_called)
    return Choices(named, versions, tools)


def _called(each: tuple[str, str]) -> str:
    return each[1].casefold()
