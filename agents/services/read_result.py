"""Give an agent an earlier result of its run again, page by page."""

from __future__ import annotations

import json
from typing import Any

from agents.context import refusal_message, result_message
from agents.journal import CALL_KINDS, Journal
from agents.models import Step
from agents.notebook import Reading
from agents.services.claim import Lease, fenced
from agents.services.close_call import close_call
from agents.tools import Trust


def read_result(lease: Lease, step: Step, journal: Journal) -> None:
    """Close the step with the page that was asked for. It shows again what the run has read already: no
    action, and no taint that was not there."""
    problem, output = page_of(journal, step.seq, Reading.model_validate(step.arguments or {}))
    with fenced(lease) as run:
        close_call(run, step, output, problem=problem)


def page_of(journal: Journal, before: int, asked: Reading) -> tuple[str, dict[str, Any]]:
    """The problem, if any, and what the agent is told: a part of the text of that result, as trusted and of the
    same time as the whole. Offsets count characters."""
    source = next((step for step in journal.steps if step.seq == asked.step), None)
    if source is None or asked.step >= before or source.kind not in CALL_KINDS or not source.output:
        what = f"step: there is no result {asked.step} before this call."
        return "no_such_result", refusal_message("failed", "no_such_result", what)
    whole = text_of(source.output)
    end = asked.offset + asked.limit
    page = {
        "step": asked.step,
        "tool": source.name,
        "text": whole[asked.offset : end],
        "offset": asked.offset,
        "characters": len(whole),
        "next_offset": end if end < len(whole) else None,
    }
    trust = Trust(source.output.get("trust") or Trust.TRUSTED)
    as_of = str(source.output.get("as_of") or (source.finished_at or source.started_at).isoformat())
    return "", result_message(page, trust=trust, as_of=as_of)


def text_of(output: dict[str, Any]) -> str:
    """A result as text: a text as it is, anything else as JSON."""
    result = output.get("result", output)
    return (
        result
        if isinstance(result, str)
        else json.dumps(result, ensure_ascii=False, sort_keys=True)
    )
