"""Two runs step by step: which steps stand for each other, and what differs in them. Pure.

It is told from rows, which hold nothing that their reader may not see.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.text import capfirst
from django.utils.translation import gettext

from agents.alignment import align
from agents.timeline_rows import Row
from agents.wording import plain
from approvals.layouts import said

#: A text longer than this is cut; the step's own page has the rest.
LONGEST: Final = 1_500


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in two steps; empty where a step has none of it."""

    label: str
    one: str
    other: str


@dataclass(frozen=True)
class Pair:
    """Two steps that stand for each other, or one that has no counterpart; `number` counts pairs from 1."""

    number: int
    one: Row | None
    other: Row | None
    differences: Sequence[Difference]

    @property
    def same(self) -> bool:
        """Whether both runs have the step, and nothing differs that the reader may see."""
        return self.one is not None and self.other is not None and not self.differences


def pairs_of(one: Sequence[Row], other: Sequence[Row]) -> list[Pair]:
    """The steps of two runs side by side, in order."""
    keys = [[(row.step.kind, row.step.name) for row in rows] for rows in (one, other)]
    found = []
    for number, (mine, theirs) in enumerate(align(*keys, loosely=lambda key: key[0]), start=1):
        left = None if mine is None else one[mine]
        right = None if theirs is None else other[theirs]
        told = [] if left is None or right is None else differences(left, right)
        found.append(Pair(number, left, right, told))
    return found


def differences(one: Row, other: Row) -> list[Difference]:
    """What differs in two steps, in the order in which it came about. How long they took and what they cost
    is no difference: it is never the same."""
    mine, theirs = dict(_facts(one)), dict(_facts(other))
    return [
        Difference(label, *_told(mine.get(label, ""), theirs.get(label, "")))
        for label in dict.fromkeys((*mine, *theirs))
        if mine.get(label, "") != theirs.get(label, "")
    ]


def _told(one: str, other: str) -> tuple[str, str]:
    """Both for people, moments as finely as tells them apart; exactly as they are, where people would read the
    same of both."""
    for places in (0, 3, 6):
        told = (said(one, places), said(other, places))
        if told[0] != told[1]:
            return told
    return one, other


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    judged, request = row.judgement, row.request
    yield gettext("What it was"), row.title
    yield gettext("Model"), row.step.model if row.shown["model"] else ""
    yield gettext("The model says"), _cut(row.said)
    for argument in row.arguments:
        yield (
            gettext("Argument: {name}").format(name=plain(argument["label"]).lower()),
            _cut(_text(argument["value"])),
        )
    if not row.arguments:
        yield gettext("About"), _cut(row.about)
    yield gettext("The agent says"), _cut(row.rationale)
    if judged is not None:
        yield gettext("The gate"), f"{judged.word}: {judged.score}" if judged.score else judged.word
        yield gettext("Why"), "\n".join(judged.reasons)
        yield gettext("Policy version"), str(judged.policy_version or "")
    if request is not None:
        yield gettext("Decision"), capfirst(request.standing)
    yield gettext("What the person wrote"), _cut(row.feedback)
    for change in row.changes:
        yield (
            gettext("Changed to: {name}").format(name=change.label.lower()),
            _cut(_text(change.after)),
        )
    yield gettext("How it ended"), row.state
    yield gettext("Trouble"), row.trouble
    yield gettext("What the agent was told"), row.told
    yield gettext("Effect"), capfirst(row.effect_words)
    yield gettext("Taken back"), row.undo_words
    if isinstance(row.result, dict):
        for name, value in row.result.items():
            yield gettext("Result: {name}").format(name=plain(name).lower()), _cut(_text(value))
    else:
        yield gettext("Result"), _cut(_text(row.result))
    yield gettext("Note"), row.note


def _text(value: Any) -> str:
    """A value for people: a text as it is, nothing for none, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
