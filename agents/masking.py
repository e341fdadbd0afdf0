"""What of a run's journal a person may not see: scores that are secret yet, and sensitive arguments.

A journal says the same thing more than once: a call's arguments stand in its step, in the reply that
proposed it, and in every conversation sent afterwards. A mask covers all of these. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from agents.models import Step
from agents.notebook import READ_RESULT
from agents.states import PROPOSING, SETTLED, StepKind, StepState
from agents.undoing import PREFIX
from approvals.withholding import Withheld, values_in

HIDDEN = "hidden until decided"
SENSITIVE = "hidden: this argument is sensitive"
NOT_SHOWN = "hidden: it may repeat a sensitive argument"
#: Columns of a step that hold texts in a shape of ours.
PLAIN = ("request", "response", "resolution", "attempts", "rationale", "locks")
#: What in an output is as a tool or a person gave it.
OF_ANY_SHAPE = frozenset({"result", "answer", "arguments_that_ran"})


class Told(Protocol):
    """What of a step says what must be hidden in others. Long runs have hundreds of them around what is shown."""

    @property
    def seq(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def coin(self) -> Any: ...
    @property
    def arguments(self) -> Any: ...
    @property
    def started_at(self) -> datetime: ...


AnyStep = TypeVar("AnyStep", bound=Told)


@dataclass(frozen=True)
class Mask:
    """`scored`: replies with a score that is secret yet. `fields`: sensitive arguments by step.

    `replies`: replies that hold such arguments; what is sent to a model after the first of them
    repeats it. `unplaced`: scores of a reply that is not among the steps, so that nobody can tell here whether
    they are secret. `decided`: decision points of a workflow that a call with a secret score rests
    on. `withheld`: what sensitive arguments hold, wherever else it is repeated. All steps by seq.
    """

    scored: frozenset[int] = frozenset()
    fields: Mapping[int, frozenset[str]] = field(default_factory=dict)
    replies: frozenset[int] = frozenset()
    unplaced: frozenset[int] = frozenset()
    decided: frozenset[int] = frozenset()
    withheld: Withheld = field(default_factory=Withheld)

    def cleared(self, step: Step) -> Step:
        """The step in memory without what the reader may not see repeated in it; it is never saved."""
        if not self.withheld:
            return step
        clear, cleared = self.withheld, copy(step)
        there = frozenset(PLAIN) - step.get_deferred_fields()
        for name in there:
            setattr(cleared, name, clear.value(getattr(step, name)))
        if step.arguments:
            cleared.arguments = clear.arguments(step.arguments)
        if isinstance(step.output, dict):
            cleared.output = clear.value(step.output)
            for name in OF_ANY_SHAPE & step.output.keys():
                cleared.output[name] = clear.content(step.output[name])
        if step.judgement:
            cleared.judgement = clear.value(step.judgement)
            if given := _proposed(step):
                cleared.judgement["action"]["arguments"] = clear.arguments(given)
        return cleared

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

    def hides_confidence(self, step: Step) -> bool:
        """Whether the step's confidence is secret, or would tell one that is."""
        return step.seq in self.decided or score_hidden(step)

    def hides_score(self, seq: int) -> str:
        """Why nothing that this step gathered may be shown, nor what was sent for it; empty when it may."""
        return HIDDEN if seq in self.unplaced else self.hides_request(seq)

    def hides_request(self, seq: int) -> str:
        """Why the conversation that was sent in this step may not be shown; empty when it may."""
        if any(reply < seq for reply in self.scored):
            return HIDDEN
        return NOT_SHOWN if any(reply < seq for reply in self.replies) else ""


def sensitive_by_tool(definitions: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Names of the sensitive arguments of each tool that has any, and of its undo.

    `definitions` are those of the agent versions that a run was made under: what one of them calls
    sensitive is.
    """
    found: dict[str, frozenset[str]] = {}
    for tool in (tool for definition in definitions for tool in definition.get("tools", ())):
        if names := frozenset(tool.get("sensitive") or ()):
            for name in (str(tool["name"]), f"{PREFIX}{tool['name']}"):
                found[name] = found.get(name, frozenset()) | names
    return found


def withheld_values(
    steps: Iterable[Step], sensitive: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """The values of sensitive arguments in the calls among these steps: proposed, edited, unreadable."""
    found: set[str] = set()
    for step in steps:
        names = sensitive.get(step.name)
        if names and step.kind == StepKind.TOOL:
            for given in (step.arguments, _proposed(step), _unread(step)):
                found |= values_in(given or {}, names)
    return frozenset(found)


def _proposed(step: Step) -> dict[str, Any]:
    return ((step.judgement or {}).get("action") or {}).get("arguments") or {}


def _unread(step: Step) -> dict[str, Any]:
    """The arguments of a call that was not taken, as far as they can be read after all."""
    try:
        given = json.loads((step.response or {}).get("arguments_text") or "{}")
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def mask_for(
    steps: Sequence[Told],
    calls: Sequence[Step] = (),
    sensitive: Mapping[str, frozenset[str]] | None = None,
    withheld: Withheld | None = None,
    *,
    secret_later: bool = False,
) -> Mask:
    """The mask over `steps` of a run, in order, for who may not see the arguments in `sensitive`.

    `calls`: the run's model steps and states and its calls of those tools, all of them and in order: what is
    sent to a model repeats what stands many pages before. Without `sensitive`, only scores are secret.
    `secret_later`: a call after these steps has a secret score.
    """
    scored = hidden_replies(steps, secret_later=secret_later)
    first = next((step.seq for step in steps if step.kind in PROPOSING), None)
    unplaced = frozenset(
        step.seq
        for step in steps
        if step.kind == StepKind.SCORE and (first is None or step.seq < first)
    )
    fields: dict[int, frozenset[str]] = {}
    replies: set[int] = set()
    for call, sources in _with_sources(calls):
        if secret := _secret_in(call, (sensitive or {}).get(call.name, frozenset())):
            fields[call.seq] = secret
            replies.update(sources)
    for each in steps:
        # It shows again what stands there.
        if each.name == READ_RESULT and (each.arguments or {}).get("step") in fields:
            fields[each.seq] = frozenset()
    return Mask(
        scored,
        fields,
        frozenset(replies),
        unplaced,
        frozenset(s.seq for s in _decisions_before(steps, secret_later=secret_later)),
        withheld or Withheld(),
    )


def hidden_replies(steps: Sequence[Told], *, secret_later: bool = False) -> frozenset[int]:
    """Seqs of the replies that hold a score which must stay secret until a person decided.

    Of a call that a workflow proposes these are all replies before it: its score is the lowest of theirs.
    """
    hidden: set[int] = set()
    for step, sources in _with_sources(steps):
        if score_hidden(step):
            hidden.update(sources)
    if secret_later and any(step.kind == StepKind.STATE for step in steps):
        hidden.update(step.seq for step in steps if step.kind in PROPOSING)
    return frozenset(hidden)


def _with_sources(steps: Sequence[AnyStep]) -> Iterator[tuple[AnyStep, Collection[int]]]:
    """Each step that is no reply and no state, with the seqs of those that it may come from."""
    reply, before, by_code = 0, [], False
    for step in steps:
        if step.kind in PROPOSING:
            reply, by_code = step.seq, step.kind == StepKind.STATE
            before.append(step.seq)
        else:
            yield step, tuple(before) if by_code else (reply,)


def _decisions_before(steps: Sequence[Told], *, secret_later: bool) -> Iterator[Told]:
    """The answers at decision points before the last call of a workflow whose score is secret."""
    secret = secret_later
    for step in reversed(steps):
        if step.kind == StepKind.DECISION and secret:
            yield step
        secret = secret or score_hidden(step)


def score_hidden(step: Told) -> bool:
    """Whether the step's score must stay secret yet; until the coin is tossed, nobody knows."""
    if step.state == StepState.UNJUDGED:
        return True
    return step.state not in SETTLED and not (step.coin or {}).get("score_visible", True)


def _secret_in(step: Step, sensitive: frozenset[str]) -> frozenset[str]:
    if "arguments_text" in (step.response or {}):
        # A call that could not be read is kept as text, and may hold any of them.
        return sensitive
    return sensitive & (frozenset(step.arguments or {}) | frozenset(_proposed(step)))
