"""Which scores of a proposed call are there, which are still to be gathered, and what they come to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agents import agreement, log_probabilities
from agents.definitions import Agent
from agents.journal import Journal
from agents.llm_types import calls_in
from agents.log_probabilities import Weighed, weigh
from agents.models import Step
from agents.states import StepKind, StepState
from approvals.schemas import Confidence, ScoreNote
from approvals.scores import ScoreChoice, Scores, Source

SELF_REPORT_VERSION: Final = "1"
VERIFIER_VERSION: Final = "1"
"""Raised when the field `confidence` asks for something else, or the verifier is told something else."""
DECLARED_VERSION: Final = "1"
LOWEST_VERSION: Final = "lowest-1"
"""The lowest score of the decision points that a workflow's call rests on."""


@dataclass(frozen=True)
class Signal:
    """One score in basis points, None where there is none, and how it came about."""

    score_bp: int | None
    note: ScoreNote = field(default_factory=ScoreNote)


@dataclass(frozen=True)
class Wanted:
    """A further model call: the verifier's on the call with the seq `of`, or reply number `sample` to what
    the reply with the seq `of` answered."""

    source: Source
    of: int
    sample: int = 0


def confidence_from(signals: Mapping[str, Signal], choice: ScoreChoice) -> Confidence:
    """All scores of a call, with the one deciding that the policy says."""
    gathered = Confidence(
        signals={
            source: signal.score_bp
            for source, signal in signals.items()
            if signal.score_bp is not None
        },
        notes={source: signal.note for source, signal in signals.items()},
    )
    return gathered.decided_by(choice.source)


def signals_of(call: Step, weighed: Weighed | None, choice: ScoreChoice) -> dict[str, Signal]:
    """The scores that the reply itself holds: the model's own word, and its tokens' log-probabilities."""
    own = ScoreNote(
        version=SELF_REPORT_VERSION, problem="unusable" if call.confidence_bp is None else ""
    )
    signals = {"self_reported": Signal(call.confidence_bp, own)}
    version = log_probabilities.VERSION
    if weighed is not None:
        note = ScoreNote(version=version, tokens=weighed.tokens)
        signals["log_probability"] = Signal(weighed.score_bp, note)
    elif choice.wants("log_probability"):
        note = ScoreNote(version=version, problem="none_returned")
        signals["log_probability"] = Signal(None, note)
    return signals


def signals_of_state(
    call: Step, at: Step, journal: Journal, choice: ScoreChoice
) -> dict[str, Signal]:
    """The scores of a call that the state of a workflow proposes: the lowest of the decision points that it
    rests on; that of code where it rests on none."""
    rests_on = [journal.step(seq) for seq in (at.request or {}).get("rests_on") or ()]
    if not rests_on:
        note = ScoreNote(version=DECLARED_VERSION)
        signals = {"declared": Signal(call.confidence_bp, note)}
    else:
        note = ScoreNote(version=LOWEST_VERSION)
        signals = {"self_reported": Signal(call.confidence_bp, note)}
    if not choice.wants("log_probability"):
        return signals
    scores = [_weighed(journal.reply_of(decision)) for decision in rests_on]
    known = [score for score in scores if score is not None]
    if known and len(known) == len(scores):
        signals["log_probability"] = Signal(min(known), ScoreNote(version=LOWEST_VERSION))
    else:
        problem = "none_returned" if rests_on else "no_reply"
        note = ScoreNote(version=LOWEST_VERSION, problem=problem)
        signals["log_probability"] = Signal(None, note)
    return signals


def _weighed(reply: Step) -> int | None:
    """The log-probability score of the one call in the reply."""
    raw = reply.response or {}
    weighed = weigh(raw, calls_in(raw))[0]
    return weighed.score_bp if weighed is not None else None


def wanted_next(agent: Agent, scores: Scores, journal: Journal) -> Wanted | None:
    """The next call to make before the gate can be asked about the newest reply; None when all is there."""
    replies = 0
    by_code = any(journal.reply_of(call).kind == StepKind.STATE for call in journal.unjudged)
    for call in journal.unjudged:
        choice = scores.resolve(agent=agent.slug, tool=call.name)
        if agent.tool(call.name) is None:
            continue
        if choice.wants("verifier") and not _made(journal, "verifier", call.seq):
            return Wanted("verifier", call.seq)
        if choice.wants("agreement") and not by_code:
            replies = max(replies, choice.replies)
    if not replies:
        return None
    reply = journal.reply_of(journal.unjudged[0])
    samples = _made(journal, "agreement", reply.seq)
    if len(samples) + 1 >= replies or any(_problem(sample) for sample in samples):
        # Where one is missing there is no share, however many more are asked for.
        return None
    return Wanted("agreement", reply.seq, len(samples) + 2)


def gathered(call: Step, journal: Journal, choice: ScoreChoice) -> Confidence:
    """All scores of an unjudged call of the newest reply."""
    reply = journal.reply_of(call)
    if reply.kind == StepKind.STATE:
        signals = signals_of_state(call, reply, journal, choice)
    else:
        raw = reply.response or {}
        weighed = weigh(raw, calls_in(raw))[call.seq - reply.seq - 1]
        signals = signals_of(call, weighed, choice)
    reviews = _made(journal, "verifier", call.seq)
    if reviews:
        signals["verifier"] = _reviewed(reviews[0])
    samples = _made(journal, "agreement", reply.seq)
    if choice.wants("agreement") and samples:
        signals["agreement"] = _agreed(call, samples[: choice.replies - 1], choice.replies)
    elif choice.wants("agreement") and reply.kind == StepKind.STATE:
        note = ScoreNote(version=agreement.VERSION, problem="no_reply")
        signals["agreement"] = Signal(None, note)
    return confidence_from(signals, choice)


def _made(journal: Journal, source: Source, of: int) -> list[Step]:
    return [
        step
        for step in journal.steps
        if step.kind == StepKind.SCORE
        and step.state == StepState.SUCCEEDED
        and step.name == source
        and (step.request or {}).get("of") == of
    ]


def _problem(step: Step) -> str:
    return str(_output(step).get("problem") or "")


def _output(step: Step) -> dict[str, Any]:
    return step.output or {}


def _reviewed(step: Step) -> Signal:
    said = _output(step)
    return Signal(
        said.get("score_bp"),
        ScoreNote(
            version=VERIFIER_VERSION,
            problem=_problem(step),
            model=step.model,
            objections=tuple(said.get("objections") or ()),
        ),
    )


def _agreed(call: Step, samples: list[Step], replies: int) -> Signal:
    problem = next((found for step in samples if (found := _problem(step))), "")
    if not problem and len(samples) + 1 < replies:
        problem = "too_few_samples"
    if problem:
        note = ScoreNote(version=agreement.VERSION, problem=problem, samples=replies)
        return Signal(None, note)
    agreed = sum(call.seq in (_output(step).get("agrees") or ()) for step in samples)
    note = ScoreNote(version=agreement.VERSION, samples=replies, agreeing=agreed + 1)
    return Signal(agreement.share_bp(agreed, replies), note)
