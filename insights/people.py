"""What reviewers decided, and the signs of clicking through; beside the period before."""

from __future__ import annotations

from dataclasses import dataclass

from insights.links import Links
from insights.reading import Figures, Person
from insights.report import Number, Part

#: Of fewer verdicts a change of rates says nothing.
FEWEST = 20
#: So many points of the rate of approvals more than before are a drift that is pointed out.
DRIFT = 0.10


@dataclass(frozen=True)
class Load:
    """What one person decided. `drift`: how much the rate of approvals rose beside the period before, as a share;
    None where either has too few verdicts. `seconds`: how long they looked at a request on average."""

    name: str
    verdicts: Number
    approved: Part
    before: Part
    drift: float | None
    fast: Part
    seconds: float | None

    @property
    def drifts(self) -> bool:
        return self.drift is not None and abs(self.drift) >= DRIFT


def loads_of(figures: Figures, links: Links) -> list[Load]:
    """Of everybody who decided in the period. One statement."""
    return [_load(each, links) for each in figures.people()]


def _load(now: Person, links: Links) -> Load:
    approved = Part(now.approved, now.verdicts)
    earlier = Part(now.approved_before, now.verdicts_before)
    drift = None
    if min(approved.of, earlier.of) >= FEWEST:
        # One division: the difference of two would make a little less than ten points of ten.
        more = now.approved * earlier.of - earlier.number * now.verdicts
        drift = more / (now.verdicts * earlier.of)
    here = links.closed(person=str(now.pk))
    return Load(
        name=now.name,
        verdicts=Number("verdicts", now.verdicts, here),
        approved=approved,
        before=earlier,
        drift=drift,
        fast=Part(now.fast, now.risky_approved, links.closed(person=str(now.pk), fast="1")),
        seconds=now.active_seconds / now.timed if now.timed else None,
    )
