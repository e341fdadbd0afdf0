"""What evaluations are called, and what is said of them, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from audit.wordings import Words
from evaluations.vocabulary import CaseState, Change, EvaluationState

STATES: Final = Words(
    {
        EvaluationState.RUNNING: "Under way",
        EvaluationState.PASSED: "Passed",
        EvaluationState.FAILED: "Failed",
        EvaluationState.INTERRUPTED: "Interrupted",
    }
)
TONES: Final = {
    EvaluationState.RUNNING: "running",
    EvaluationState.PASSED: "succeeded",
    EvaluationState.FAILED: "failed",
    EvaluationState.INTERRUPTED: "paused",
}
CASE_STATES: Final = Words(
    {
        CaseState.PLAYING: "Under way",
        CaseState.PASSED: "Passed",
        CaseState.FAILED: "Failed",
        CaseState.BROKEN: "Not played to its end",
    }
)
CASE_TONES: Final = {
    CaseState.PLAYING: "running",
    CaseState.PASSED: "succeeded",
    CaseState.FAILED: "failed",
    CaseState.BROKEN: "paused",
}
"""The state words that give chips their colours."""

CHANGES: Final = Words(
    {
        Change.WORSE: "Worse",
        Change.BETTER: "Better",
        Change.SAME: "The same",
        Change.ADDED: "New",
        Change.GONE: "Not played any more",
    }
)
CHANGE_TONES: Final = {
    Change.WORSE: "failed",
    Change.BETTER: "succeeded",
    Change.SAME: "ended",
    Change.ADDED: "ended",
    Change.GONE: "ended",
}
PROBLEMS: Final = Words(
    {
        "outcome": "It ended as {found}, and {expected} was expected.",
        "outcome_because": "It ended as {found}, and {expected} was expected. It says: {why}",
        "answer": "The answer's {field} is {found}, and {expected} was expected.",
        "answer_schema": "The answer does not fit its schema at {field}: {what}",
        "call_missing": "It never called {call}.",
        "call_not_like": "It never called {call}; the nearest was {found}.",
        "call_out_of_order": "It called {call}, but not in the expected order.",
        "call_other": "Call {number} was {found}, and {call} was expected.",
        "call_surplus": "It called {found}, which was not expected.",
        "call_unwanted": "It called {found}, which must never happen: {call}.",
        "reviews": "It asked people {found} times, and {expected} was expected.",
        "steps": "It took {found} steps, and {expected} was expected.",
        "model_calls": "It asked its model {found} times, and {expected} was expected.",
        "tool_calls": "It made {found} calls that ran, and {expected} was expected.",
        "tokens": "It used {found} tokens, and {expected} was expected.",
        "cost_micros": "It cost {found} millionths, and {expected} was expected.",
        "cost_unknown": "What it cost is not known: {calls} of its model calls have no price. Set one.",
        "correctable_errors": "{found} replies could not be used ({which}), and {expected} was expected.",
        "false_claims": "It claimed {found} things that did not happen, and {expected} was expected. {which}",
        "unanswered": "It called {call}, for which the scenario has no answer.",
        "undecided": "It waits for a person on {what}, and the scenario has no decision for that.",
        "answer_refused": "The scenario's answer to {call} is not what the tool returns: {why}",
        "decision_refused": "The scenario's decision on {what} cannot be taken: {why}",
        "stuck": "It could not be played to its end: {why}",
    }
)


def problem_said(problem: Mapping[str, Any]) -> str:
    """The sentence of a problem as tables keep it."""
    code = str(problem["code"])
    if code not in PROBLEMS:
        # Written by a newer release.
        return code
    return PROBLEMS[code].format_map(_Given(problem.get("params") or {}))


class _Given(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"
