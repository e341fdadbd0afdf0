"""From an address to the figures that it asks for; page, API and file ask alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from accounts.callers import Caller
from audit.clock import database_now
from insights.choices import Choices, choices
from insights.forms import InsightsForm
from insights.links import Links
from insights.models import Progress
from insights.people import Load, loads_of
from insights.report import Report, report_of
from insights.visibility import may_see_people


@dataclass(frozen=True)
class Answer:
    """The figures, those of people for who may see them, and since when all that ended is in them."""

    report: Report
    people: list[Load] | None
    counted_at: datetime | None


def form_of(given: Mapping[str, str], now: datetime) -> tuple[InsightsForm, Choices]:
    """The form of the page, with what it offers."""
    offered = choices(str(given.get("agent") or ""))
    form = InsightsForm(
        given,
        today=now.date(),
        agents=offered.agents,
        versions=offered.versions,
        tools=offered.tools,
    )
    return form, offered


def answer(form: InsightsForm, caller: Caller, now: datetime) -> Answer:
    """What a valid form asks for."""
    people = may_see_people(caller)
    links = Links(form.asked, requests=people)
    counted = Progress.objects.values_list("caught_up_at", flat=True).first()
    return Answer(
        report_of(form.asked, links, now), loads_of(form.asked, links) if people else None, counted
    )


def now_and_form(given: Mapping[str, str]) -> tuple[datetime, InsightsForm]:
    """The moment, and the form without what it offers, for programs."""
    now = database_now()
    return now, InsightsForm(given, today=now.date())
