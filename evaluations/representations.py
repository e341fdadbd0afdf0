"""Evaluations and cases as the API gives them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from evaluations.comparing import Compared
from evaluations.models import CaseResult, Evaluation, SavedCase
from evaluations.wording import problem_said


def evaluation_as_json(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation without its results. Cost in millionths of the currency unit, spans in seconds."""
    return {
        "id": str(evaluation.pk),
        "agent": evaluation.agent.slug,
        "agent_version": evaluation.agent_version.digest,
        "suite": evaluation.suite,
        "suite_digest": evaluation.suite_digest,
        "source": evaluation.source,
        "model": evaluation.model,
        "repeat": evaluation.repeat,
        "policy_version": evaluation.policy_version,
        "state": evaluation.state,
        "cases": evaluation.cases,
        "played": evaluation.played,
        "passed": evaluation.passed,
        "steps": evaluation.steps,
        "model_calls": evaluation.model_calls,
        "tokens": evaluation.tokens,
        "cost_micros": evaluation.cost_micros,
        "unpriced_calls": evaluation.unpriced_calls,
        "seconds": round(evaluation.seconds, 3),
        "started_at": evaluation.started_at.isoformat(),
        "finished_at": evaluation.finished_at.isoformat() if evaluation.finished_at else None,
    }


def result_as_json(result: CaseResult) -> dict[str, Any]:
    """One case, played once; `problems` with a sentence each."""
    return {
        "name": result.name,
        "attempt": result.attempt,
        "state": result.state,
        "outcome": result.outcome,
        "problems": [{**each, "sentence": problem_said(each)} for each in result.problems],
        "run": str(result.run_id) if result.run_id else None,
        "models": result.models_reported,
        "steps": result.steps,
        "model_calls": result.model_calls,
        "tool_calls": result.tool_calls,
        "tokens": result.tokens,
        "cost_micros": result.cost_micros,
        "unpriced_calls": result.unpriced_calls,
        "seconds": round(result.seconds, 3),
    }


def whole_as_json(evaluation: Evaluation, results: Iterable[CaseResult]) -> dict[str, Any]:
    """An evaluation with the results that it has."""
    return {
        **evaluation_as_json(evaluation),
        "results": [result_as_json(result) for result in results],
    }


def compared_as_json(compared: Compared) -> dict[str, Any]:
    """What became of a case between two evaluations."""
    return {
        "name": compared.name,
        "change": compared.change.value,
        "rewritten": compared.rewritten,
        "now": asdict(compared.now) if compared.now else None,
        "before": asdict(compared.before) if compared.before else None,
    }


def case_as_json(row: SavedCase) -> dict[str, Any]:
    """A case that somebody saved."""
    return {
        "id": str(row.pk),
        "agent": row.agent.slug,
        "suite": row.suite,
        "name": row.name,
        "version": row.version,
        "made_from": str(row.made_from_id) if row.made_from_id else None,
        "saved_at": row.saved_at.isoformat(),
        "case": row.document,
    }
