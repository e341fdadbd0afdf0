"""Where a number leads: to the list of what it counts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus

from django.urls import reverse

from insights.narrowing import ANY_TOOL
from insights.periods import Period
from insights.reading import Asked

SCOPE: Final = ("agent", "version", "category", "tool")


class Links:
    """Addresses of lists with the filters of a page. `requests`: whether the reader may open what others were
    asked; else those numbers lead nowhere."""

    def __init__(self, asked: Asked, *, requests: bool) -> None:
        self._asked = asked
        self._may_open_requests = requests
        self._scope = {name: getattr(asked, name) for name in SCOPE}
        self._of_runs = {name: value for name, value in self._scope.items() if name != "tool"}
        self._paths = {name: reverse(name) for name in ("insights", "run-list", "request-list")}

    def page(self, at: str = "", **other: str) -> str:
        """This page, about something else."""
        period = self._asked.period
        days = {"since": period.since, "until": period.until, "step": period.step.value}
        found = self._address("insights", {**self._scope, **days, **other})
        return f"{found}#{at}" if at else found

    def runs(self, *, period: Period | None = None, **more: str) -> str:
        """Runs that began in the period; `more` are filters of `insights.narrowing`, and other agents."""
        days = period or self._asked.period
        told = {"since": days.since, "until": days.until, "tasks": "1"}
        return self._address("run-list", {**self._of_runs, **told, **more})

    def calls(self, name: str, value: str, *, tool: str | None = None, **more: Any) -> str:
        """Runs with such a call; `name` is call, error or argument."""
        which = (self._asked.tool or ANY_TOOL) if tool is None else tool
        given: dict[str, Any] = {name: f"{which}:{value}", **more}
        return self.runs(**given)

    def closed(self, *, period: Period | None = None, **more: str) -> str:
        """Requests that were closed in the period; `more` are filters of that list."""
        days = period or self._asked.period
        return self._requests({"since": days.since, "until": days.until, "state": "closed", **more})

    def waiting(self, age: str) -> str:
        """Requests that wait for so long."""
        return self._requests({"state": "waiting", "age": age})

    def _requests(self, given: dict[str, Any]) -> str:
        if not self._may_open_requests:
            return ""
        return self._address("request-list", {**self._scope, **given})

    def _address(self, name: str, given: dict[str, Any]) -> str:
        said = "&".join([f"{key}={_quoted(str(value))}" for key, value in given.items() if value])
        return f"{self._paths[name]}?{said}"


# A page has hundreds of addresses, which are made of a few names and days.
_quoted = lru_cache(maxsize=4_096)(quote_plus)
