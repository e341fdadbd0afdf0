"""What became of an agent's newest calls: how many ran by themselves, and what people made of the others.

It looks at a bounded part of the journal, however much there is: see the constants.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.utils.translation import gettext

from agents.models.run import RunQuerySet
from audit import spellings
from audit.wordings import Words

DAYS: Final = 30
MOST_RUNS: Final = 100
#: Of each run, the newest.
MOST_STEPS: Final = 100
#: Of fewer, a percentage would say more than is known.
FEWEST: Final = 20

_CALLS: Final = """
SELECT call.asked, call.outcome, call.kind, call.edited, call.by_person, count(*)
  FROM unnest(%s::uuid[]) AS run (id),
       LATERAL (
           SELECT step.approval_id IS NOT NULL AS asked,
                  step.judgement -> 'verdict' ->> 'outcome' AS outcome,
                  step.resolution ->> 'kind' AS kind,
                  step.resolution ->> 'edited' = 'true' AS edited,
                  step.resolution ->> 'by_id' IS NOT NULL AS by_person
             FROM (SELECT * FROM agents_step WHERE run_id = run.id ORDER BY seq DESC LIMIT %s) AS step
            WHERE step.judgement IS NOT NULL) AS call
 GROUP BY 1, 2, 3, 4, 5
"""
#: By how a request was closed, in the order in which people read them.
WORDS: Final = Words(
    {
        "auto": "Ran without a person",
        "approved": "Approved as proposed",
        "edited": "Approved with a change",
        "sent_back": "Sent back",
        "rejected": "Rejected",
        "stopped": "Rejected, and the run ended",
        "expired": "Not decided in time",
        "denied": "Denied by the policy",
    }
)
#: What a person decided, and of that, where they did not let it through as it was.
DECIDED: Final = ("approved", "edited", "sent_back", "rejected", "stopped")
INTERVENED: Final = DECIDED[1:]


@dataclass(frozen=True)
class Rate:
    """A number of a whole, as people read it: with a percentage only where there are enough of them."""

    label: str
    number: int
    of: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.number / self.of

    @property
    def text(self) -> str:
        """`12 of 40 (30 %)`, or `3 of 4`."""
        counted = gettext("{number} of {of}").format(
            number=spellings.number(self.number), of=spellings.number(self.of)
        )
        return counted if self.of < FEWEST else f"{counted} ({round(100 * self.share)} %)"


@dataclass(frozen=True)
class DecisionRates:
    """What became of the calls of `runs` runs, the oldest of which began at `since`. `cut`: in these days there
    were more runs, which were not looked at."""

    runs: int
    since: datetime | None
    cut: bool
    calls: list[Rate]
    intervention: Rate | None

    @property
    def days(self) -> int:
        """How far back it looks at most."""
        return DAYS

    @property
    def few(self) -> bool:
        """Whether there are too few for percentages."""
        return bool(self.calls) and self.calls[0].of < FEWEST


def decision_rates(runs: RunQuerySet, now: datetime) -> DecisionRates:
    """Of these runs, which are those of one agent that a person may see. Two queries."""
    found = list(
        runs.filter(created_at__gte=now - timedelta(days=DAYS))
        .newest_first()
        .values_list("pk", "created_at")[: MOST_RUNS + 1]
    )
    newest = found[:MOST_RUNS]
    counted: Counter[str] = Counter()
    if newest:
        with connection.cursor() as cursor:
            cursor.execute(_CALLS, [[pk for pk, _ in newest], MOST_STEPS])
            for asked, outcome, kind, edited, by_person, number in cursor.fetchall():
                word = _word(outcome, kind, asked=asked, edited=edited, by_person=by_person)
                counted[word] += number
    del counted[""]
    whole = sum(counted.values())
    decided = sum(counted[word] for word in DECIDED)
    changed = sum(counted[word] for word in INTERVENED)
    return DecisionRates(
        runs=len(newest),
        since=newest[-1][1] if newest else None,
        cut=len(found) > MOST_RUNS,
        calls=[Rate(words, counted[word], whole) for word, words in WORDS.items() if counted[word]],
        intervention=Rate("Changed by a person", changed, decided) if decided else None,
    )


def _word(
    outcome: str | None, kind: str | None, *, asked: bool, edited: bool | None, by_person: bool
) -> str:
    """How one call went, a word of `WORDS`; empty for what is open, and for what was withdrawn."""
    if not asked:
        return {"allow": "auto", "deny": "denied"}.get(outcome or "", "")
    if kind == "expired":
        return kind
    if not by_person or kind not in DECIDED:
        return ""
    return "edited" if kind == "approved" and edited else kind
