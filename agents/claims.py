"""What a final answer claims, held against the journal of its run. Pure.

An answer lists the calls that it relies on, and by its fields it may assert that a call was done
(`agents.asserts`). What the journal does not bear out is a false claim, with both sides in a sentence each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from agents import wording
from agents.asserts import Asserts
from agents.models import EffectRecord, Step
from agents.simulation import SIMULATED
from agents.states import EffectState, StepKind, StepState
from audit.numbers import as_number

#: More than these are counted, not listed.
MOST_CLAIMS: Final = 50
ID_LENGTH: Final = 60
#: What an answer may rely on: everything with a call id but the endings, the answer itself among them.
ENDINGS: Final = frozenset({StepKind.FINAL, StepKind.ABSTAIN})
NOT_DONE: Final[Mapping[str, str]] = {
    EffectState.READY: "It was not sent.",
    EffectState.DISPATCHED: "It was sent; nobody knows yet what became of it.",
    EffectState.BOUNCED: "The other side accepted it, and then it bounced.",
    EffectState.FAILED: "It failed; it did not happen.",
    EffectState.IN_DOUBT: "Nobody knows whether it happened.",
}


@dataclass(frozen=True)
class Claim:
    """One false claim: what the answer says, and what the journal says. `step`: the call it is about."""

    code: str
    says: str
    journal: str
    step: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As requests and journals keep it."""
        return asdict(self)


def false_claims(
    answer: Mapping[str, Any],
    relies_on: Sequence[str],
    asserts: Iterable[Asserts],
    steps: Sequence[Step],
    effects: Iterable[EffectRecord],
) -> list[Claim]:
    """Every claim of the answer that the journal does not bear out, the listed calls first.

    `steps` are those before the answer, in order; `effects` those of the run.
    """
    return _Check(steps, effects).claims(answer, relies_on, asserts)


class _Check:
    def __init__(self, steps: Sequence[Step], effects: Iterable[EffectRecord]) -> None:
        self._calls = [step for step in steps if step.call_id and step.kind not in ENDINGS]
        self._effects = {effect.step_id: effect for effect in effects}
        self._undone = {
            step.undoes_id for step in steps if step.undoes_id and step.state == StepState.SUCCEEDED
        }

    def claims(
        self, answer: Mapping[str, Any], relies_on: Sequence[str], asserts: Iterable[Asserts]
    ) -> list[Claim]:
        listed = list(dict.fromkeys(relies_on))
        found = [claim for name in listed if (claim := self._listed(name)) is not None]
        for asserted in asserts:
            if asserted.made_by(answer):
                found.extend(self._asserted(asserted, answer, frozenset(listed)))
        return found

    def _listed(self, name: str) -> Claim | None:
        # A model may use an id again; it then speaks of the newest call.
        step = next((each for each in reversed(self._calls) if each.call_id == name), None)
        if step is None:
            said = f"It relies on a call “{wording.brief(name, ID_LENGTH)}”."
            return Claim("unknown_call", said, "No call of this run has that name.")
        why = self._why_not(step)
        if not why:
            return None
        return Claim("not_done", f"It relies on {_named(step)}.", why, step.seq)

    def _asserted(
        self, asserted: Asserts, answer: Mapping[str, Any], listed: frozenset[str]
    ) -> list[Claim]:
        tool = wording.plain(asserted.tool.name)
        says = f"It says that this was done: {tool}{_because(asserted, answer)}."
        done = [
            step
            for step in self._calls
            if step.name == asserted.tool.name and not self._why_not(step)
        ]
        behind = [step for step in done if step.call_id in listed]
        if not done:
            return [Claim("not_done_at_all", says, self._attempts(asserted.tool.name))]
        if not behind:
            where = ", ".join(str(step.seq) for step in done[:5])
            return [Claim("not_listed", says, f"It lists no such call. Done was step {where}.")]
        if any(not _differences(asserted, answer, step) for step in behind):
            return []
        step = behind[-1]
        return [
            Claim(
                "differs",
                f"{wording.plain(name)}: {wording.brief(answer.get(name))}",
                f"{_named(step).capitalize()}, gave {wording.brief(value)}."
                if value is not None
                else f"{_named(step).capitalize()}, gave no {wording.plain(given).lower()}.",
                step.seq,
            )
            for name, given, value in _differences(asserted, answer, step)
        ]

    def _attempts(self, tool: str) -> str:
        tried = [step for step in self._calls if step.name == tool]
        if not tried:
            return "No such call was made in this run."
        return f"Step {tried[-1].seq}: {self._why_not(tried[-1])}"

    def _why_not(self, step: Step) -> str:
        """Why the journal does not hold that the call was done; empty where it does."""
        effect = self._effects.get(step.pk)
        if effect is not None and effect.pk in self._undone:
            return "It was done, and undone since."
        if effect is not None and effect.state in NOT_DONE:
            return NOT_DONE[EffectState(effect.state)]
        output = step.output or {}
        match step.state:
            case StepState.SUCCEEDED if output.get("status") == "no_answer":
                return "Nobody answered it."
            case StepState.SUCCEEDED:
                return ""
            case StepState.FAILED | StepState.REFUSED:
                state = wording.step_state(step)
                told = str(output.get("message") or "")
                return f"{state}. {wording.brief(told, 300)}" if told else f"{state}."
            case _:
                return "It is not done."


def bounded(claims: Sequence[Claim]) -> list[Claim]:
    """At most MOST_CLAIMS of them, the last then says how many more there are."""
    if len(claims) <= MOST_CLAIMS:
        return list(claims)
    more = len(claims) - MOST_CLAIMS + 1
    said = f"{more} more claims of this kind."
    return [*claims[: MOST_CLAIMS - 1], Claim("more", said, "They are not listed one by one.")]


def _named(step: Step) -> str:
    return f"{wording.plain(step.name)}, step {step.seq}"


def _because(asserted: Asserts, answer: Mapping[str, Any]) -> str:
    held = ", ".join(
        f"{wording.plain(name).lower()} is “{wording.brief(answer.get(name))}”"
        for name in asserted.when
    )
    return f" ({held})" if held else ""


def _differences(
    asserted: Asserts, answer: Mapping[str, Any], step: Step
) -> list[tuple[str, str, Any]]:
    """Fields of the answer that are not as the call's result has them: field, result's field, its value."""
    if (step.output or {}).get("status") == SIMULATED:
        # Nobody knows what it would have given.
        return []
    result = (step.output or {}).get("result")
    values = result if isinstance(result, Mapping) else {}
    return [
        (name, given, values.get(given))
        for name, given in asserted.same.items()
        if answer.get(name) is not None and not _same(answer[name], values.get(given))
    ]


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON, or the same number: `38.5` is `"38.50"`, as money is written either way."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if one == other:
        return True
    left, right = as_number(one), as_number(other)
    return left is not None and left == right
