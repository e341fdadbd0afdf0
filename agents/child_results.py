"""What a run is told of a run that it delegated to, and what of that taints it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from agents.context import refusal_message, result_message
from agents.done import Done
from agents.models import Run
from agents.states import Outcome, RunState
from agents.tools import Trust

ABSTAINED: Final = "child_abstained"
STOPPED: Final = "child_stopped"
FAILED: Final = "child_failed"


def result_of_child(child: Run, done: Sequence[Done]) -> tuple[str, dict[str, Any]]:
    """The problem, empty where it gave an answer, and what the agent is told: what it says, and beside that
    what it did, `done`, itself and by those that it handed work to.

    What a tainted run says may repeat what somebody outside wrote, so it is no more trusted than that.
    """
    trust = Trust.UNTRUSTED if child.tainted else Trust.TRUSTED
    told: dict[str, Any] = {"agent": child.agent.slug, "trust": trust.value}
    did = [each.as_told() for each in done]
    if child.state == RunState.SUCCEEDED and child.outcome == Outcome.DONE:
        assert child.finished_at is not None
        as_of = child.finished_at.isoformat()
        answer = {**(child.output or {}), "done": did}
        return "", result_message(answer, trust=trust, as_of=as_of) | told
    told["done"] = did
    if child.outcome == Outcome.ABSTAINED:
        reason = str((child.output or {}).get("reason") or "")
        what = f"It does not know, or cannot do this: {reason}"
        return ABSTAINED, refusal_message("abstained", ABSTAINED, what, **told)
    why = str((child.failure or {}).get("message") or "")
    if child.state == RunState.CANCELLED:
        what = f"It was stopped before it was done. {why}".strip()
        return STOPPED, refusal_message("stopped", STOPPED, what, **told)
    return FAILED, refusal_message("failed", FAILED, f"It failed. {why}".strip(), **told)


def taint_of(child: Run, parent: Run) -> str:
    """What the parent is tainted by: the child, and what that read which its parent had not; empty where
    there is nothing new."""
    read = [name for name in child.tainted_by if name not in parent.tainted_by]
    if not child.tainted or not read:
        return ""
    by = f"{child.agent.title}, which read {', '.join(read)}"
    return "" if by in parent.tainted_by else by
