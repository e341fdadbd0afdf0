"""Runs as lists show them, read by their keys: which ones stand in a list is asked for in another statement, so that
its order is that of an index and nothing is joined to what is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from agents.models import AgentVersion, Run
from approvals.lists import with_lists
from audit.prepared import Prepared

_NO_VERSION: Final = -1
_told = Prepared(
    lambda key: (
        Run.objects.filter(pk__in=[key])
        .select_related("agent", "initiator", "taken_over_by")
        .defer("input", "output")
    ),
    UUID(int=0),
    rewrite=with_lists,
)
# Of each version the definition is large, and many runs are of the same.
_versions = Prepared(
    lambda key: AgentVersion.objects.filter(pk__in=[key]), _NO_VERSION, rewrite=with_lists
)


def listed(runs: Sequence[Run]) -> list[Run]:
    """These runs, of which only the keys need to be known, with what lists say of them, in their order. Two queries."""
    if not runs:
        return []
    found = {run.pk: run for run in _told([run.pk for run in runs])}
    there = [found[run.pk] for run in runs if run.pk in found]
    versions = {
        each.pk: each for each in _versions(sorted({run.agent_version_id for run in there}))
    }
    for run in there:
        run.agent_version = versions[run.agent_version_id]
    return there
