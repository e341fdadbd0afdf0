"""The named states of a workflow as a row of stages: of an agent, or of a run with where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.models import Run, Step
from agents.states import StepKind
from agents.wording import plain
from audit.wordings import Words

STANDINGS: Final = Words(
    {
        "been": "done",
        "here": "here now",
        "end": "ended here",
        "ahead": "not reached",
        "": "",
    }
)


@dataclass(frozen=True)
class Stage:
    """One state. `standing` is a key of STANDINGS, empty where no run is shown."""

    title: str
    about: str
    asks: bool
    standing: str = ""

    @property
    def words(self) -> str:
        """Where the run stands with it, in words; empty where no run is shown."""
        return STANDINGS[self.standing]


def stages_of(definition: Mapping[str, Any]) -> list[Stage]:
    """The states of an agent's recorded workflow, as they were declared; none for other agents."""
    return [_stage(state) for state in _states(definition)]


def stages_of_run(run: Run) -> list[Stage]:
    """The same with where the run stands. One query for a workflow, else none."""
    states = _states(run.agent_version.definition)
    if not states:
        return []
    rows = Step.objects.filter(run=run, kind=StepKind.STATE).in_order()
    entered = list(rows.values_list("name", flat=True))
    return [_stage(state, _standing(str(state["name"]), entered, run)) for state in states]


def _standing(name: str, entered: list[str], run: Run) -> str:
    if entered and name == entered[-1]:
        return "end" if run.ended else "here"
    return "been" if name in entered else "ahead"


def _stage(state: Mapping[str, Any], standing: str = "") -> Stage:
    return Stage(
        plain(str(state["name"])), str(state["about"]), state["asks"] is not None, standing
    )


def _states(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    states: list[Mapping[str, Any]] = (definition.get("flow") or {}).get("states") or []
    return states
