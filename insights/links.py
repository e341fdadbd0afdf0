"""Where a number leads: to the list of what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse

from insights.narrowing import ANY_TOOL
from insights.periods import Period
from insights.reading import Asked

SCOPE: Final = ("agent", "version", "category", "tool")


@dataclass(frozen=True)
class Links:
    """Addresses of lists with the filters of a page. `requests`: whether the reader may open what others were
    asked; else those numbers lead nowhere."""

    asked: Asked
    requests: bool

    def page(self, at: str = "", **other: str) -> str:
        """This page, about something else."""
        given = {name: getattr(self.asked, name) for name in SCOPE}
        period = self.asked.period
        days = {"since": period.since, "until": period.until, "step": period.step.value}
        return _address("insights", {**given, **days, **other}) + (f"#{at}" if at else "")

    def runs(self, *, period: Period | None = None, **more: str) -> str:
        """Runs that began in the period; `more` are filters of `insights.narrowing`, and other agents."""
        days = period or self.asked.period
        given: dict[str, Any] = {
            "agent": self.asked.agent,
            "version": self.asked.version,
            "category": self.asked.category,
            "since": days.since,
            "until": days.until,
            "tasks": "1",
            **more,
        }
        return _address("run-list", given)

    def calls(self, name: str, value: str, *, tool: str | None = None, **more: Any) -> str:
        """Runs with such a call; `name` is call, error or argument."""
        which = (self.asked.tool or ANY_TOOL) if tool is None else tool
        given: dict[str, Any] = {name: f"{which}:{value}", **more}
        return self.runs(**given)

    def closed(self, *, period: Period | None = None, **more: str) -> str:
        """Requests that were closed in the period; `more` are filters of that list."""
        days = period or self.asked.period
        return self._requests({"since": days.since, "until": days.until, "state": "closed", **more})

    def waiting(self, age: str) -> str:
        """Requests that wait for so long."""
        return self._requests({"state": "waiting", "age": age})

    def _requests(self, given: dict[str, Any]) -> str:
        if not self.requests:
            return ""
        scope = {name: getattr(self.asked, name) for name in SCOPE}
        return _address("request-list", {**scope, **given})


def _address(name: str, given: dict[str, Any]) -> str:
    return f"{reverse(name)}?{urlencode({key: value for key, value in given.items() if value})}"
