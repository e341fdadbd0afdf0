"""From an address to the figures that it asks for; page, API and file ask alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from accounts.callers import Caller
from audit.clock import database_now
from insights.choices import Choices, choices, lines
from insights.forms import InsightsForm
from insights.links import Links
from insights.models import Progress
from insights.people import Load, loads_of
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
    """What an address asks: the form, what it offers, and all slices that have figures."""

    form: InsightsForm
    offered: Choices
    lines: dict[int, Line]
    now: datetime

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Question:
        """From the fields of an address. Three statements."""
        now, known = database_now(), lines()
        offered = choices(known.values(), str(given.get("agent") or ""))
        form = InsightsForm(
            given,
            today=now.date(),
            agents=offered.agents,
            versions=offered.versions,
            tools=offered.tools,
        )
        return cls(form, offered, known, now)

    def answer(self, caller: Caller) -> Answer:
        """Where the form is valid."""
        people = may_see_people(caller)
        figures = Figures(self.form.asked, self.lines, self.now.date())
        links = Links(self.form.asked, requests=people)
        counted = Progress.objects.values_list("caught_up_at", flat=True).first()
        return Answer(
            report_of(figures, links, self.now),
            loads_of(figures, links) if people else None,
            counted,
        )
