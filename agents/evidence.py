"""What the people who decide are shown of what a run had read, as it stood when it asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agents.journal import ACTIONS
from agents.models import Run, Step
from agents.states import StepKind, StepState
from agents.tools import Trust

EVIDENCE_STEPS: Final = 12
EVIDENCE_TEXT: Final = 2_000


def handed_over(run: Run) -> list[dict[str, Any]]:
    """Who handed the run its work, and as what; nothing for one that a person started."""
    if run.delegated_by_id is None:
        return []
    call = Step.objects.select_related("run__agent").get(pk=run.delegated_by_id)
    task = (call.arguments or {}).get("task")
    return [
        {
            "step": None,
            "tool": "work_handed_over",
            # It is written by a model, out of what that one has read.
            "trust": (Trust.UNTRUSTED if call.run.tainted else Trust.TRUSTED).value,
            "arguments": {},
            "result": {"by_agent": call.run.agent.title, "task": bounded(task)},
        }
    ]


def evidence(
    steps: Sequence[Step], sensitive: Mapping[str, frozenset[str]] | None = None
) -> list[dict[str, Any]]:
    """The newest results of the run, as the reviewer is shown them.

    Of a call with sensitive arguments, `sensitive` names them: not every reviewer sees them.
    """
    done = [
        s
        for s in steps
        if (s.kind in ACTIONS or s.kind == StepKind.DECISION)
        and s.state == StepState.SUCCEEDED
        and s.output
    ]
    return [
        {
            "step": step.seq,
            "tool": step.name,
            "trust": (step.output or {}).get("trust", "untrusted"),
            "arguments": step.arguments or {},
            "result": bounded((step.output or {}).get("result")),
            **_answered(step),
            **_guarded(step, (sensitive or {}).get(step.name, frozenset())),
        }
        for step in done[-EVIDENCE_STEPS:]
    ]


def _answered(step: Step) -> dict[str, Any]:
    """What a model made of what it was shown, at a decision point of a workflow."""
    if step.kind != StepKind.DECISION:
        return {}
    return {"arguments": {}, "result": bounded(step.arguments or {})}


def _guarded(step: Step, names: frozenset[str]) -> dict[str, Any]:
    return {"sensitive": sorted(names & (step.arguments or {}).keys())} if names else {}


def bounded(value: Any) -> Any:
    """The value, or the beginning of it as JSON where that is long."""
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= EVIDENCE_TEXT else f"{text[:EVIDENCE_TEXT]}… (cut; see step)"
