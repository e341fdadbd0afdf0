"""Reasons as sentences: the one place where the gate's codes become words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext

from approvals.layouts import words_of
from approvals.schemas import Reason
from audit import spellings
from audit.wordings import Words

_SOURCES = Words(
    {
        "agent_tool": "for this agent and tool",
        "tool": "for this tool",
        "agent": "for this agent",
        "risk": "for this risk",
        "default": "for all actions",
        "rule": "of the rule",
    }
)

_SCORES = Words(
    {
        "log_probability": "Confidence by log-probabilities",
        "verifier": "The verifier's score",
        "agreement": "Agreement",
    }
)
_RISKS = Words({"low": "low", "medium": "medium", "high": "high", "critical": "critical"})
_EFFECTS = Words(
    {
        "money": "money",
        "production": "production",
        "destructive": "destructive",
        "external_communication": "external communication",
        "personal_data": "personal data",
        "credentials": "credentials",
    }
)
_NO_SCORE = Words(
    {
        "log_probability": "The model server gave no log-probabilities for this call",
        "verifier": "The verifier gave no score",
        "agreement": "Agreement could not be measured",
    }
)
_READ = Words({"its task": "its task"})


def points(value_bp: int) -> str:
    """Basis points as people write them: 8000 is 0.80, 8765 is 0.8765; in German 0,80."""
    places = 2 if value_bp % 100 == 0 else 3 if value_bp % 10 == 0 else 4
    return spellings.decimals(value_bp / 10_000, places)


def beside_needed(value_bp: int, threshold_bp: int) -> str:
    """A score beside what it has to be, in basis points: `0.95, above the 0.90 that is needed`."""
    if value_bp == threshold_bp:
        return gettext("{value}, exactly what is needed").format(value=points(value_bp))
    words = (
        gettext("{value}, above the {threshold} that is needed")
        if value_bp > threshold_bp
        else gettext("{value}, below the {threshold} that is needed")
    )
    return words.format(value=points(value_bp), threshold=points(threshold_bp))


def _rule(params: Mapping[str, Any]) -> str:
    return str(params.get("title") or params.get("rule") or gettext("a rule"))


def _below(params: Mapping[str, Any]) -> str:
    source = _SOURCES.get(str(params.get("source")), "")
    score = _SCORES.get(str(params.get("score"))) or gettext("Confidence")
    return (
        gettext("{score} {points} is below the threshold {points2} {source}")
        .format(
            score=score,
            points=points(params["confidence_bp"]),
            points2=points(params["threshold_bp"]),
            source=source,
        )
        .rstrip()
        + "."
    )


def _baseline(params: Mapping[str, Any]) -> str:
    effects = ", ".join(
        _EFFECTS.get(str(effect)) or str(effect).replace("_", " ")
        for effect in params.get("effects", [])
    )
    what = gettext("{value} risk").format(value=_RISKS.get(str(params["risk"]), params["risk"])) + (
        gettext(" with {effects}").format(effects=effects) if effects else ""
    )
    undoing = "" if params.get("reversible", True) else gettext(" that cannot be undone")
    return gettext("No rule allows it, and {what}{undoing} is reviewed.").format(
        what=what, undoing=undoing
    )


def read_from(names: Sequence[Any]) -> str:
    """What a run read, by the names of its tools, within a sentence: `its task and “Look up order”`."""
    return spellings.both([read_words(str(name)) for name in names])


def read_words(name: str) -> str:
    """One of what a run read: a tool by its title, its task and what other agents and its memory read as it is."""
    if name in _READ:
        return _READ[name]
    # Another agent and the memory are told in words, which name what they had it from.
    return (
        name if " " in name else gettext("“{words}”").format(words=words_of(name.replace("-", " ")))
    )


def _tainted(params: Mapping[str, Any]) -> str:
    by = read_from(params.get("by", []))
    return gettext("This run has read text that nobody vouches for") + (f": {by}." if by else ".")


_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "below_threshold": _below,
    "no_score": lambda p: gettext("{no_score}, which counts as zero.").format(
        no_score=_NO_SCORE.get(str(p.get("score"))) or gettext("There is no score")
    ),
    "tainted": _tainted,
    "baseline": _baseline,
    "nothing_speaks": lambda p: gettext(
        "The policy does not speak of such actions, so a person looks."
    ),
    "reviewed_by_rule": lambda p: gettext("The rule “{rule}” asks for a review.").format(
        rule=_rule(p)
    ),
    "denied_by_rule": lambda p: gettext("The rule “{rule}” denies it.").format(rule=_rule(p)),
    "allowed_by_rule": lambda p: gettext(
        "The rule “{rule}” allows it: confidence {points} meets {points2}."
    ).format(rule=_rule(p), points=points(p["confidence_bp"]), points2=points(p["threshold_bp"])),
    "allowed_by_baseline": lambda p: gettext(
        "Low risk, and confidence {points} meets {points2}."
    ).format(points=points(p["confidence_bp"]), points2=points(p["threshold_bp"])),
    "condition_failed": lambda p: gettext(
        "The condition of the rule “{rule}” has no answer for these arguments: {value}."
    ).format(rule=_rule(p), value=gettext(str(p.get("problem", "unknown")))),
    "unknown_tool": lambda p: gettext("The agent has no tool {value}.").format(
        value=p.get("tool", "")
    ),
    "stopped": lambda p: str(p.get("why") or gettext("A kill switch holds.")),
    "gate_error": lambda p: gettext("The gate could not judge this action, so a person looks."),
    "second_look": lambda p: gettext("Chosen for a look by a person."),
    "policy_tighter": lambda p: gettext(
        "Policy {value} asks for more than was given, so it is decided again."
    ).format(value=p.get("version", "")),
    "world_changed": lambda p: str(
        p.get("what") or gettext("What the reviewer saw has changed since.")
    ),
}


_ALLOWED = frozenset({"allowed_by_rule", "allowed_by_baseline"})
_OF_SCORE = frozenset({"below_threshold", "no_score", "second_look", *_ALLOWED})


def without_score(reasons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The reasons of a call whose score is hidden. Every such call that waits says that somebody
    should look, whatever its score is, so that the reason does not tell it."""
    shown = [dict(reason) for reason in reasons if reason.get("code") not in _OF_SCORE]
    if not any(reason.get("code") in _ALLOWED for reason in reasons):
        shown.append({"code": "second_look", "params": {}})
    return shown


def sentence(reason: Reason | Mapping[str, Any]) -> str:
    """One reason for people. A code that is not known here is shown as it is."""
    if not isinstance(reason, Reason):
        reason = Reason(code=str(reason.get("code", "")), params=dict(reason.get("params", {})))
    render = _SENTENCES.get(reason.code)
    if render is None:
        return reason.code.replace("_", " ").capitalize() + "."
    return render(reason.params)


def sentences(reasons: Sequence[Reason | Mapping[str, Any]]) -> list[str]:
    """All of them, in order."""
    return [sentence(reason) for reason in reasons]
