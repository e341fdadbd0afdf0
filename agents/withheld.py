"""What of runs one reader may not see: the values of sensitive arguments, wherever a run repeats them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from accounts.callers import Caller
from agents import registry
from agents.kin import kin_ids, may_delegate
from agents.masking import sensitive_by_tool, withheld_values
from agents.models import AgentVersion, Run, Step
from agents.states import StepKind
from approvals.eligibility import reads_sensitive
from approvals.withholding import Withheld

NOTHING = Withheld()


def withheld_from(
    runs: Sequence[Run], caller: Caller, *, listed: bool = True
) -> dict[UUID, Withheld]:
    """By run, the values that may not reach the caller; runs without any are left out.

    No query unless an agent has sensitive arguments that the caller does not read; else one.
    """
    if reads_sensitive(caller, listed=listed):
        return {}
    return {run: Withheld(values) for run, values in sensitive_values(runs).items()}


def sensitive_values(runs: Sequence[Run]) -> dict[UUID, frozenset[str]]:
    """By run, the values of its sensitive arguments, and of those of the runs that it handed work to or that
    handed it work: what one says, the other repeats. Runs without any are left out. At most one query, and two
    more where work is handed over."""
    kin = kin_ids(runs)
    if not kin:
        return _own_values(runs)
    others = {each for line in kin.values() for each in line} - {run.pk for run in runs}
    known = Run.objects.filter(pk__in=others).select_related("agent", "agent_version")
    own = _own_values([*runs, *known.defer("input", "output")])
    found: dict[UUID, frozenset[str]] = {}
    for run in runs:
        lines = [own.get(each, frozenset()) for each in kin.get(run.pk, {run.pk})]
        if values := frozenset().union(*lines):
            found[run.pk] = values
    return found


def _own_values(runs: Sequence[Run]) -> dict[UUID, frozenset[str]]:
    known = {run.pk: sensitive_by_tool(_definitions(run)) for run in runs}
    names = {name for tools in known.values() for name in tools}
    if not names:
        return {}
    guarded = [run for run, tools in known.items() if tools]
    rows = Step.objects.filter(run__in=guarded, kind=StepKind.TOOL, name__in=names).only(
        "run_id", "kind", "name", "arguments", "judgement", "response"
    )
    found: dict[UUID, frozenset[str]] = {}
    for step in rows:
        if values := withheld_values([step], known[step.run_id]):
            found[step.run_id] = found.get(step.run_id, frozenset()) | values
    return found


def _definitions(run: Run) -> list[Mapping[str, Any]]:
    """Of the run's version, and of what is installed now, which may have learnt what is sensitive."""
    installed = registry.find(run.agent.slug)
    return [run.agent_version.definition, *([installed.definition] if installed else [])]


def definitions_of(run: Run, steps: Iterable[Step]) -> list[Mapping[str, Any]]:
    """These, and where the version changed under way those that these steps were made under."""
    digests = {
        str(judged["agent_version"])
        for step in steps
        if (judged := (step.judgement or {}).get("action"))
    } | {str(step.output["was"]) for step in steps if step.output and "was" in step.output}
    earlier = digests - {run.agent_version.digest}
    found = AgentVersion.objects.filter(digest__in=earlier) if earlier else ()
    return [*_definitions(run), *(version.definition for version in found)]


def cleared(run: Run, withheld: Withheld) -> Run:
    """The run in memory without what the reader may not see repeated in it; it is never saved."""
    if not withheld:
        return run
    there = frozenset({"title", "goal", "failure"}) - run.get_deferred_fields()
    for name in there:
        setattr(run, name, withheld.value(getattr(run, name)))
    if "input" not in run.get_deferred_fields():
        run.input = withheld.arguments(run.input)
    if "output" not in run.get_deferred_fields() and isinstance(run.output, dict):
        run.output = withheld.arguments(run.output)
    return run


def kin_values(run: Run) -> frozenset[str]:
    """The sensitive values of the run's line; none where it handed over no work and was handed none."""
    alone = run.delegated_by_id is None and run.forked_from_id is None
    if alone and not may_delegate(run):
        return frozenset()
    return sensitive_values([run]).get(run.pk, frozenset())
