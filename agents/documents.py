"""What the digests in a run's events stand for: the agent's version, calls that needed nobody, results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from agents.models import AgentVersion, EffectRecord, Run, Step
from agents.states import StepKind
from agents.withheld import sensitive_values
from audit.canonical import MalformedJson, canonical_bytes, sha256_hex
from audit.document_ports import Reference


class RunDocuments:
    """Fills in `audit.document_ports.Documents`."""

    def documents(self, references: Sequence[Reference], *, sensitive: bool) -> dict[str, bytes]:
        """The documents that stand here, by digest; runs with sensitive values need `sensitive`."""
        versions = [each.digest for each in references if each.name == "agent"]
        wanted = {each.digest for each in references}
        found = {
            version.digest: canonical_bytes(version.definition)
            for version in AgentVersion.objects.filter(digest__in=versions)
        }
        runs = {each.run for each in references if each.run and each.name.endswith("_sha256")}
        open_runs = runs if sensitive else _without_sensitive(runs)
        for data in (*_calls(open_runs), *_results(open_runs)):
            digest = sha256_hex(data)
            if digest in wanted:
                found[digest] = data
        return found


def _without_sensitive(runs: set[UUID]) -> set[UUID]:
    known = list(Run.objects.filter(pk__in=runs).select_related("agent", "agent_version"))
    return {run.pk for run in known} - sensitive_values(known).keys()


def _calls(runs: set[UUID]) -> Iterator[bytes]:
    steps = Step.objects.filter(run__in=runs, kind=StepKind.TOOL, judgement__isnull=False)
    for step in steps.only("name", "arguments", "judgement").iterator(500):
        action = (step.judgement or {}).get("action") or {}
        for arguments in (step.arguments, action.get("arguments")):
            if arguments is not None:
                version = action.get("tool_version", "")
                yield canonical_bytes(
                    {"tool": step.name, "tool_version": version, "arguments": arguments}
                )


def _results(runs: set[UUID]) -> Iterator[bytes]:
    effects = EffectRecord.objects.filter(run__in=runs, result__isnull=False)
    for effect in effects.only("result").iterator(500):
        try:
            yield canonical_bytes(effect.result)
        except MalformedJson:
            # It has no canonical form and was therefore not bound into an event either.
            continue
