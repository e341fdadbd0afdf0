"""What of a run's journal a person may not see: scores that are secret yet, and sensitive arguments.

A journal says the same thing more than once: a call's arguments stand in its step, in the reply that
proposed it, and in every conversation sent afterwards. A mask covers all of these. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.models import Step
from agents.states import SETTLED, StepKind, StepState
from agents.undoing import PREFIX

HIDDEN = "hidden until decided"
SENSITIVE = "hidden: this argument is sensitive"
NOT_SHOWN = "hidden: it may repeat a sensitive argument"


@dataclass(frozen=True)
class Mask:
    """`scored`: replies with a score that is secret yet. `fields`: sensitive arguments by step.

    `replies`: replies that hold such arguments; what is sent to a model after the first of them
    repeats it. `unplaced`: scores of a reply that is not among the steps, so that nobody can tell here whether
    they are secret. All steps by seq.
    """

    scored: frozenset[int] = frozenset()
    fields: Mapping[int, frozenset[str]] = field(default_factory=dict)
    replies: frozenset[int] = frozenset()
    unplaced: frozenset[int] = frozenset()

    def covers(self, seq: int) -> bool:
        """Whether the step has arguments that the reader may not see."""
        return seq in self.fields

    def arguments(self, seq: int, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        """The arguments with sensitive values replaced: that they are there is no secret."""
        secret = self.fields.get(seq, frozenset())
        return {
            name: SENSITIVE if name in secret else value
            for name, value in (arguments or {}).items()
        }

    def hides_reply(self, seq: int) -> str:
        """Why the reply may not be shown; empty when it may."""
        if seq in self.scored:
            return HIDDEN
        return NOT_SHOWN if seq in self.replies else ""

    def hides_score(self, seq: int) -> str:
        """Why nothing that this step gathered may be shown, nor what was sent for it; empty when it may."""
        return HIDDEN if seq in self.unplaced else self.hides_request(seq)

    def hides_request(self, seq: int) -> str:
        """Why the conversation that was sent in this step may not be shown; empty when it may."""
        if any(reply < seq for reply in self.scored):
            return HIDDEN
        return NOT_SHOWN if any(reply < seq for reply in self.replies) else ""


def mask_for(
    steps: Sequence[Step], definitions: Iterable[Mapping[str, Any]], *, reads_sensitive: bool
) -> Mask:
    """The mask over these steps of a run, in order.

    `definitions` are those of the agent versions that the run was made under: what one of them calls
    sensitive is.
    """
    scored = hidden_replies(steps)
    first = next((step.seq for step in steps if step.kind == StepKind.MODEL), None)
    unplaced = frozenset(
        step.seq
        for step in steps
        if step.kind == StepKind.SCORE and (first is None or step.seq < first)
    )
    if reads_sensitive:
        return Mask(scored, unplaced=unplaced)
    sensitive: dict[str, frozenset[str]] = {}
    for tool in (tool for definition in definitions for tool in definition.get("tools", ())):
        name = str(tool["name"])
        sensitive[name] = sensitive.get(name, frozenset()) | frozenset(tool.get("sensitive") or ())
    sensitive |= {f"{PREFIX}{name}": fields for name, fields in sensitive.items()}
    fields: dict[int, frozenset[str]] = {}
    replies: set[int] = set()
    reply = 0
    for step in steps:
        if step.kind == StepKind.MODEL:
            reply = step.seq
        elif secret := _secret_in(step, sensitive.get(step.name, frozenset())):
            fields[step.seq] = secret
            replies.add(reply)
    return Mask(scored, fields, frozenset(replies), unplaced)


def hidden_replies(steps: Sequence[Step]) -> frozenset[int]:
    """Seqs of the replies that hold a score which must stay secret until a person decided."""
    hidden: set[int] = set()
    reply = 0
    for step in steps:
        if step.kind == StepKind.MODEL:
            reply = step.seq
        elif score_hidden(step):
            hidden.add(reply)
    return frozenset(hidden)


def score_hidden(step: Step) -> bool:
    """Whether the step's score must stay secret yet; until the coin is tossed, nobody knows."""
    if step.state == StepState.UNJUDGED:
        return True
    return step.state not in SETTLED and not (step.coin or {}).get("score_visible", True)


def _secret_in(step: Step, sensitive: frozenset[str]) -> frozenset[str]:
    if "arguments_text" in (step.response or {}):
        # A call that could not be read is kept as text, and may hold any of them.
        return sensitive
    proposed = ((step.judgement or {}).get("action") or {}).get("arguments") or {}
    return sensitive & (frozenset(step.arguments or {}) | frozenset(proposed))
