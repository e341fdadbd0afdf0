"""The final answer: held against the journal before it ends the run; a person looks at what that does not bear out."""

from __future__ import annotations

from typing import Any

from agents.claims import Claim, bounded, false_claims
from agents.definitions import Agent
from agents.done import effects_done
from agents.journal import Journal
from agents.models import EffectRecord, Run, Step
from agents.openings import for_result
from agents.services.claim import Lease
from agents.services.end import succeed
from agents.services.park import Ask
from agents.services.settle import settle_refused
from agents.states import Outcome, StepKind, StepState

SENT_BACK = (
    "A person did not accept this answer. Mind what they say, then go on and give another one."
)
TURNED_DOWN = (
    "Another answer of this reply was sent back. Mind what was said of it, then give another one."
)


def unfounded(agent: Agent, run: Run, step: Step, journal: Journal) -> Ask | None:
    """What a person is asked about this final answer; None where nothing speaks against it.

    At most two queries, and none for an answer that relies on nothing and asserts nothing.
    """
    claims, unsure = _false_claims(agent, run, step, journal), is_unsure(agent, step)
    if not claims and not unsure:
        return None
    # What the timeline says of it, and what the model is told if it is sent back.
    step.request = {
        **(step.request or {}),
        "claims": [claim.as_json() for claim in claims],
        **({"threshold_bp": _threshold_bp(agent)} if unsure else {}),
    }
    earlier = _before(step, journal)
    opening = for_result(agent, run, step, earlier, claims, effects_done([run]))
    return Ask(step, opening, noted=step.request)


def stands(agent: Agent, run: Run, step: Step, journal: Journal) -> bool:
    """Whether nothing speaks against this final answer: at most one query."""
    return not is_unsure(agent, step) and not _false_claims(agent, run, step, journal)


def _false_claims(agent: Agent, run: Run, step: Step, journal: Journal) -> list[Claim]:
    relies_on = (step.request or {}).get("relies_on") or []
    effects = list(EffectRecord.objects.filter(run=run)) if relies_on or agent.asserts else []
    earlier = _before(step, journal)
    return bounded(false_claims(step.arguments or {}, relies_on, agent.asserts, earlier, effects))


def _before(step: Step, journal: Journal) -> list[Step]:
    return [each for each in journal.steps if each.seq < step.seq]


def is_unsure(agent: Agent, step: Step) -> bool:
    """Whether the model's confidence in its answer is below what its agent asks for; none counts as zero."""
    return agent.answer_threshold is not None and (step.confidence_bp or 0) < _threshold_bp(agent)


def _threshold_bp(agent: Agent) -> int:
    return round((agent.answer_threshold or 0) * 10_000)


def was_sent_back(step: Step, journal: Journal) -> bool:
    """Whether a person sent back another answer of the same reply."""
    reply = journal.reply_of(step).seq
    return any(
        each.seq > reply and each.kind == StepKind.FINAL and each.problem == "sent_back"
        for each in journal.steps
        if each.state == StepState.REFUSED
    )


def settle_result(lease: Lease, step: Step) -> bool:
    """Do what the person said of the answer; True when the run goes on."""
    resolution = step.resolution or {}
    kind, data = str(resolution["kind"]), resolution.get("data") or {}
    if kind in ("accepted", "corrected"):
        corrected = kind == "corrected"
        output = data["output"] if corrected else step.arguments or {}
        said = {kind: True, "by": resolution.get("by") or ""}
        if data.get("reason"):
            said["feedback"] = data["reason"]
        return not succeed(lease, step, outcome=Outcome.DONE, output=output, looked_at=said)
    told: dict[str, Any] = {"journal": _sides(step)} if _sides(step) else {}
    for name, given in (("feedback", "reason"), ("reason_code", "reason_code")):
        if data.get(given):
            told[name] = data[given]
    settle_refused(lease, step, status=kind, code=kind, message=SENT_BACK, **told)
    return True


def _sides(step: Step) -> list[str]:
    """What the journal holds against the answer, as the model is told."""
    claims = (step.request or {}).get("claims") or []
    return [f"{claim['says']} {claim['journal']}" for claim in claims]
