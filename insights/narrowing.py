"""Filters of the list of runs that stand for figures: each finds the runs that a number counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext

from agents.narrowings import Narrowing, RunRows
from agents.wording import plain
from insights.models import RunFact
from insights.vocabulary import (
    BANDS,
    CATEGORY_WORDS,
    FAILURE_WORDS,
    HOW_WORDS,
    RESULT_WORDS,
    Result,
    band_words,
)
from insights.words import problem_words

LONGEST_NAME: Final = 100
#: In place of a tool's name: whichever tool.
ANY_TOOL: Final = "*"
ENDED: Final = "ended"
UNSUCCESSFUL: Final = "unsuccessful"

Said = Callable[[str], str | None]


@dataclass(frozen=True)
class _By:
    """What `where` makes of the value; `said` is None for a value that it does not know."""

    name: str
    said: Said
    where: Callable[[str], Q]

    def words(self, value: str) -> str:
        return self.said(value) or ""


class ByFact(_By):
    """Runs whose facts fit."""

    def applied(self, runs: RunRows, value: str) -> RunRows:
        return runs.filter(Exists(RunFact.objects.filter(self.where(value), run=OuterRef("pk"))))


class ByRun(_By):
    """Runs that themselves fit."""

    def applied(self, runs: RunRows, value: str) -> RunRows:
        return runs.filter(self.where(value))


def _one_of(words: Mapping[Any, str]) -> Said:
    return words.get


def _if_set(words: Callable[[], str]) -> Said:
    return lambda value: words() if value == "1" else None


def _of_call(words: Said) -> Said:
    """In `TOOL:VALUE`, where no tool is one that there is not."""

    def said(value: str) -> str | None:
        tool, separator, given = value.partition(":")
        told = words(given) if separator and len(value) <= 2 * LONGEST_NAME else None
        if told is None:
            return None
        named = {ANY_TOOL: gettext("Any tool"), "": gettext("No such tool")}.get(tool)
        return f"{named or plain(tool)}: {told}"

    return said


def _with_call(part: str) -> Callable[[str], Q]:
    def where(value: str) -> Q:
        tool, _, given = value.partition(":")
        call: dict[str, Any] = {part: [given] if part == "arguments" else given}
        if tool != ANY_TOOL:
            call["tool"] = tool
        return Q(calls__contains=[call])

    return where


def _result(value: str) -> str | None:
    if value == ENDED:
        return gettext("Ended")
    return (
        gettext("Ended without success") if value == UNSUCCESSFUL else _one_of(RESULT_WORDS)(value)
    )


def _with_result(value: str) -> Q:
    if value == ENDED:
        return Q()
    return ~Q(result=Result.SUCCESS) if value == UNSUCCESSFUL else Q(result=value)


def _version(value: str) -> str | None:
    if not value.startswith("sha256:") or len(value) > LONGEST_NAME:
        return None
    return gettext("Version {version}").format(version=value[7:19])


def _band(value: str) -> str | None:
    if value not in BANDS.values():
        return None
    return gettext("{band} steps").format(band=band_words(value))


NARROWINGS: Final[tuple[Narrowing, ...]] = (
    ByRun("version", _version, lambda value: Q(agent_version__digest=value)),
    ByRun(
        "category",
        _one_of(CATEGORY_WORDS),
        lambda value: Q(agent_version__definition__category=value),
    ),
    ByRun(
        "tasks",
        _if_set(lambda: gettext("Without undos and simulations")),
        lambda _: Q(undoes__isnull=True, simulated=False),
    ),
    ByFact("result", _result, _with_result),
    ByFact("failure", _one_of(FAILURE_WORDS), lambda value: Q(failure=value)),
    ByFact("band", _band, lambda value: Q(band=value)),
    ByFact("retried", _if_set(lambda: gettext("With a retry")), lambda _: Q(retries__gt=0)),
    ByFact(
        "intervened",
        _if_set(lambda: gettext("A person intervened")),
        lambda _: Q(interventions__gt=0),
    ),
    ByFact(
        "unpriced",
        _if_set(lambda: gettext("With calls without a price")),
        lambda _: Q(unpriced__gt=0),
    ),
    ByFact(
        "provisional",
        _if_set(lambda: gettext("May still be corrected")),
        lambda _: Q(provisional=True),
    ),
    ByFact("call", _of_call(_one_of(HOW_WORDS)), _with_call("how")),
    ByFact("error", _of_call(problem_words), _with_call("problem")),
    ByFact("argument", _of_call(lambda value: value or None), _with_call("arguments")),
)
