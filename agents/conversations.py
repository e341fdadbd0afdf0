"""Reading what was sent to models: the one way from a journal to whole requests, for pages, programs and replay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from agents.journal_schemas import follows, offers_in, whole_request
from agents.models import OfferedTools, Run, Step
from agents.states import StepKind

FIRST_READS: Final = 16
READS_GROW: Final = 4


def requests_of(steps: Sequence[Step], seqs: Collection[int]) -> dict[int, Any]:
    """Whole requests of the steps with these seqs. One query, for the tools.

    `steps` are those of one run, in order, up to the last one asked for, with their requests.
    """
    asked = [step for step in steps if step.seq in seqs]
    offers = OfferedTools.objects.in_bulk(offers_in(asked))
    tools = {digest: offer.tools for digest, offer in offers.items()}
    return {step.seq: whole_request(step, steps, tools) for step in asked}


def read_requests(run: Run, seqs: Collection[int]) -> dict[int, Any]:
    """Whole requests of the run's model steps with these seqs.

    Two queries where what they repeat was sent shortly before, and one more for each four times as far back.
    """
    known: dict[int, Step] = {}
    missing, reads = set(seqs), FIRST_READS
    while missing:
        rows = Step.objects.filter(run=run, kind=StepKind.MODEL, seq__lte=max(missing))
        found = rows.only("seq", "schema", "kind", "request").order_by("-seq")[:reads]
        known |= {step.seq: step for step in found}
        if len(found) < reads:
            break
        missing, reads = _not_known(seqs, known), reads * READS_GROW
    return requests_of([known[seq] for seq in sorted(known)], seqs) if known else {}


def _not_known(seqs: Collection[int], known: Mapping[int, Step]) -> set[int]:
    """The steps, of these and of those whose messages they begin with, that are not among the known."""
    missing, walked = set(), set()
    for seq in seqs:
        here: int | None = seq
        while here is not None and here not in walked:
            walked.add(here)
            if here not in known:
                missing.add(here)
                break
            here = follows(known[here])
    return missing
