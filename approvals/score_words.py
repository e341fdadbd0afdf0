"""The scores of a call for programs and people: each by its source, with how it came about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext, ngettext

from approvals.reasons import points
from approvals.schemas import Confidence, ScoreNote
from audit import spellings
from audit.wordings import Words

TITLES: Final = Words(
    {
        "self_reported": "The agent's own word",
        "declared": "Declared by code",
        "log_probability": "Log-probabilities",
        "verifier": "Verifier",
        "agreement": "Agreement",
    }
)
PROBLEMS: Final = Words(
    {
        "unusable": "it gave none that can be used",
        "no_reply": "no model proposed this call",
        "none_returned": "the model server gave none for this call",
        "malformed": "its answer was not a review",
        "interrupted": "the process died during the call, again and again",
        "too_few_samples": "there were too few replies to compare",
    }
)


@dataclass(frozen=True)
class ScoreLine:
    """One score in words; `decides`: it is the one that was compared with the threshold."""

    title: str
    text: str
    about: str
    decides: bool
    objections: tuple[str, ...]


def _sources(confidence: Confidence) -> list[str]:
    """Those that anything is known of, always in one order: a database keeps none."""
    known = {*confidence.signals, *confidence.notes}
    return [source for source in TITLES if source in known]


def scores_as_json(confidence: Confidence, *, objections: bool = True) -> dict[str, dict[str, Any]]:
    """Every score by its source: the share (null where there is none), its version, whether it decides.

    `objections`: whether the reader may see those, which can repeat arguments.
    """
    made: dict[str, dict[str, Any]] = {}
    for source in _sources(confidence):
        score = confidence.signals.get(source)
        note = confidence.notes.get(source)
        more = note.model_dump(mode="json", exclude_defaults=True) if note else {}
        if not objections:
            more.pop("objections", None)
        made[source] = {
            **more,
            "score": None if score is None else score / 10_000,
            "version": note.version if note else "1",
            "decides": source == confidence.source,
        }
    return made


def _written(score_bp: int | None, note: ScoreNote | None, *, decides: bool) -> str:
    """Exactly where it is held against a threshold; else a share of replies, told beside it, is rounded."""
    if score_bp is None:
        return gettext("no score")
    if note and note.samples and not decides:
        return spellings.decimals(score_bp / 10_000, 2)
    return points(score_bp)


def score_lines(confidence: Confidence, *, objections: bool = True) -> list[ScoreLine]:
    """Every score in words, the one that decides first."""
    lines = []
    for source in sorted(_sources(confidence), key=lambda each: each != confidence.source):
        score, note = confidence.signals.get(source), confidence.notes.get(source)
        problem = note.problem if note else ""
        about = ""
        if score is None:
            about = PROBLEMS.get(problem) or (
                gettext("the model could not be asked") if problem else ""
            )
        elif note and note.samples:
            about = gettext("{agreeing} of {samples} replies propose it").format(
                agreeing=note.agreeing, samples=note.samples
            )
        elif note and note.tokens:
            about = ngettext(
                "over {tokens} token of the call", "over {tokens} tokens of the call", note.tokens
            ).format(tokens=note.tokens)
        lines.append(
            ScoreLine(
                title=TITLES.get(source, source),
                text=_written(score, note, decides=source == confidence.source),
                about=about,
                decides=source == confidence.source,
                objections=note.objections if note and objections else (),
            )
        )
    return lines
