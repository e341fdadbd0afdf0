"""From an address to the figures that it asks for; page, API and file ask alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from accounts.callers import Caller
from insights.choices import Choices, choices, lines
from insights.forms import InsightsForm
from insights.links import Links
from insights.people import Load, loads_of
from insights.progress import now_and_counted
from insights.reading import Figures, Line
from insights.report import Report, report_of
from insights.visibility import may_see_people


@dataclass(frozen=True)
class Answer:
    """The figures, those of people for who may see them, and since when all that ended is in them."""

    report: Report
    people: list[Load] | None
    counted_at: datetime | None


@dataclass(frozen=True)
class Question:
    """What an address asks: the form, what it offers, all slices that have figures, and since when all that ended
    is in them."""

    form: InsightsForm
    offered: Choices
    lines: dict[int, Line]
    now: datetime
    counted_at: datetime | None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Question:
        """From the fields of an address. Three statements."""
        now, counted_at = now_and_counted()
        known = lines()
        offered = choices(known.values(), str(given.get("agent") or ""))
        form = InsightsForm(
            given,
            today=now.date(),
            agents=offered.agents,
            versions=offered.versions,
            tools=offered.tools,
        )
        return cls(form, offered, known, now, counted_at)

    def answer(self, caller: Caller) -> Answer:
        """Where the form is valid."""
        people = may_see_people(caller)
        figures = Figures(self.form.asked, self.lines, self.now.date())
        links = Links(self.form.asked, requests=people)
        return Answer(
            report_of(figures, links, self.now),
            loads_of(figures, links) if people else None,
            self.counted_at,
        )
