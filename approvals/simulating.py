"""What another policy would have made of past actions: both judged anew, and counted. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from approvals.conditions import Answers
from approvals.gate import judge
from approvals.matching import answers_of
from approvals.policies import PublishedPolicy
from approvals.schemas import Confidence, GateContext, GateVerdict, ProposedAction
from approvals.vocabulary import GateOutcome

#: What people made of it: *refused* is rejected, expired, or approved only after a material edit.
Label = Literal["fine", "refused", "sent_back"]

#: What becomes of an action over the whole curve; `turns`: the threshold decides.
Turning = Literal["denied", "reviewed", "allowed", "turns"]

CURVE_STEPS = 100
MOST_LINKS = 200


@dataclass(frozen=True)
class PastAction:
    """One action as the gate saw it. `label` is None where no person has decided on it as it was;
    `request` is the request by which they did."""

    at: datetime
    action: ProposedAction
    confidence: Confidence
    context: GateContext
    request: UUID | None = None
    label: Label | None = None


@dataclass(frozen=True)
class Times:
    """Seconds that one person took to decide, on average; None where nobody ever has."""

    by_tool: Mapping[tuple[str, str], float] = field(default_factory=dict)
    overall: float | None = None

    def of(self, agent: str, tool: str) -> float | None:
        """For one tool of one agent; that of all where it has none of its own."""
        return self.by_tool.get((agent, tool), self.overall)


@dataclass
class _Line:
    """Counts of one tool of one agent."""

    actions: int = 0
    reviews_now: int = 0
    reviews_then: int = 0
    newly_unseen: int = 0
    newly_paused: int = 0
    newly_denied: int = 0


class Comparison:
    """Adds up past actions under the policy of now and another one; `result` says what came of it.

    `extremes` are the other policy with one threshold at 0 and at 1, for the curve over it.
    """

    def __init__(
        self,
        now: PublishedPolicy,
        then: PublishedPolicy,
        times: Times,
        extremes: tuple[PublishedPolicy, PublishedPolicy] | None = None,
    ) -> None:
        self._now, self._then, self._times, self._extremes = now, then, times, extremes
        self._lines: dict[tuple[str, str], _Line] = defaultdict(_Line)
        self._seconds = {"now": 0.0, "then": 0.0}
        self._unmeasured = 0
        self._unseen: Counter[str] = Counter()
        self._labels: Counter[str] = Counter()
        self._links: list[dict[str, Any]] = []
        self._curve = _Curve()
        self._denied = {"now": 0, "then": 0}

    def add(self, past: PastAction) -> None:
        """Judge one action under both."""
        answers = answers_of(past.action)
        now, then = (self._judged(past, policy, answers) for policy in (self._now, self._then))
        line = self._lines[past.action.agent, past.action.tool]
        line.actions += 1
        line.reviews_now += now.outcome == GateOutcome.REVIEW
        line.reviews_then += then.outcome == GateOutcome.REVIEW
        self._denied["now"] += now.denied
        self._denied["then"] += then.denied
        self._labels[past.label or "unlabelled"] += 1
        self._weigh(past, "now", now)
        self._weigh(past, "then", then)
        if then.allowed and not now.allowed:
            line.newly_unseen += 1
            self._unseen[past.label or "unlabelled"] += 1
            if past.label in ("refused", "sent_back"):
                self._link(past)
        line.newly_paused += now.allowed and then.outcome == GateOutcome.REVIEW
        line.newly_denied += then.denied and not now.denied
        if self._extremes is not None:
            self._curve.add(past, *self._between(past, then, answers))

    def _between(
        self, past: PastAction, then: GateVerdict, answers: Answers
    ) -> tuple[Turning, int]:
        """What becomes of the action between the two ends of the curve, and by which score (that which
        decides under this policy, which may be another one than decided then)."""
        # A deny, and a review that a rule asks for, are found before any threshold is looked at.
        if then.denied:
            return "denied", then.confidence_bp
        if then.rule and not then.allowed:
            return "reviewed", then.confidence_bp
        assert self._extremes is not None, "there is a curve"
        lowest = self._judged(past, self._extremes[0], answers)
        if not lowest.allowed:
            return "denied" if lowest.denied else "reviewed", lowest.confidence_bp
        highest = self._judged(past, self._extremes[1], answers)
        return "allowed" if highest.allowed else "turns", lowest.confidence_bp

    @staticmethod
    def _judged(past: PastAction, policy: PublishedPolicy, answers: Answers) -> GateVerdict:
        return judge(past.action, past.confidence, past.context, policy, answers)

    def _weigh(self, past: PastAction, which: str, verdict: GateVerdict) -> None:
        if verdict.requirements is None:
            return
        seconds = self._times.of(past.action.agent, past.action.tool)
        if seconds is None:
            self._unmeasured += which == "then"
        else:
            self._seconds[which] += seconds * verdict.requirements.people

    def _link(self, past: PastAction) -> None:
        if past.request is not None and len(self._links) < MOST_LINKS:
            self._links.append(
                {
                    "request": str(past.request),
                    "label": past.label,
                    "agent": past.action.agent,
                    "tool": past.action.tool,
                    "at": past.at.isoformat(),
                }
            )

    def result(self, days: float) -> dict[str, Any]:
        """Counts as JSON. Per-day numbers are over `days`, hours are hours of people's time."""
        lines = [
            {"agent": agent, "tool": tool, **vars(line)}
            for (agent, tool), line in sorted(self._lines.items())
        ]
        totals = {name: sum(line[name] for line in lines) for name in vars(_Line())}
        measured = self._times.overall is not None
        return {
            "days": round(days, 3),
            **totals,
            "denied_now": self._denied["now"],
            "denied_then": self._denied["then"],
            "reviews_a_day_now": round(totals["reviews_now"] / days, 2),
            "reviews_a_day_then": round(totals["reviews_then"] / days, 2),
            "hours_now": round(self._seconds["now"] / 3_600, 2) if measured else None,
            "hours_then": round(self._seconds["then"] / 3_600, 2) if measured else None,
            "labels": {
                name: self._labels[name] for name in ("fine", "refused", "sent_back", "unlabelled")
            },
            "unseen_labels": {
                name: self._unseen[name] for name in ("fine", "refused", "sent_back", "unlabelled")
            },
            "refused_first": self._links,
            "lines": lines,
            "curve": self._curve.points() if self._extremes is not None else None,
        }


class _Curve:
    """Reviews over one threshold. An action that the threshold decides on is reviewed below its
    confidence's step, and every other one whatever the threshold is."""

    def __init__(self) -> None:
        self._always = 0
        self._allowed_refused = 0
        self._turning: Counter[int] = Counter()
        self._turning_refused: Counter[int] = Counter()

    def add(self, past: PastAction, turning: Turning, confidence_bp: int) -> None:
        refused = past.label in ("refused", "sent_back")
        if turning == "reviewed":
            self._always += 1
        elif turning == "allowed":
            self._allowed_refused += refused
        elif turning == "turns":
            self._turning[confidence_bp] += 1
            self._turning_refused[confidence_bp] += refused

    def points(self) -> list[dict[str, Any]]:
        """At each hundredth: how many are reviewed, and how many run unseen that people had refused."""
        points = []
        for step in range(CURVE_STEPS + 1):
            threshold_bp = step * 10_000 // CURVE_STEPS
            below = sum(n for bp, n in self._turning.items() if bp < threshold_bp)
            unseen = sum(n for bp, n in self._turning_refused.items() if bp >= threshold_bp)
            points.append(
                {
                    "threshold_bp": threshold_bp,
                    "reviews": self._always + below,
                    "refused_unseen": self._allowed_refused + unseen,
                }
            )
        return points
