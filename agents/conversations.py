"""Reading what was sent to models: the one way from a journal to whole requests, for pages, programs and replay."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from agents.journal_schemas import offers_in, whole_request
from agents.models import OfferedTools, Run, Step
from agents.states import StepKind


def requests_of(steps: Sequence[Step], seqs: Collection[int]) -> dict[int, Any]:
    """Whole requests of the steps with these seqs. One query, for the tools.

    `steps` are those of one run, in order, up to the last one asked for, with their requests.
    """
    asked = [step for step in steps if step.seq in seqs]
    offers = OfferedTools.objects.in_bulk(offers_in(asked))
    tools = {digest: offer.tools for digest, offer in offers.items()}
    return {step.seq: whole_request(step, steps, tools) for step in asked}


def read_requests(run: Run, seqs: Collection[int]) -> dict[int, Any]:
    """Whole requests of the run's model steps with these seqs. Two queries."""
    if not seqs:
        return {}
    rows = Step.objects.filter(run=run, kind=StepKind.MODEL, seq__lte=max(seqs))
    return requests_of(list(rows.only("seq", "schema", "kind", "request").in_order()), seqs)
