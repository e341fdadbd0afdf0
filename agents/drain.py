"""What the installed code would do with the open runs of the database: asked before a deploy.

That is before its migrations too: only columns are read that the releases before it have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Count

from agents import registry
from agents.drift import FINISH_OLD, TOOLS_CHANGED, Trouble, describe_drift
from agents.effects import is_same_call
from agents.journal import Journal
from agents.models import AgentVersion, EffectRecord, Run, Step
from agents.states import EffectState, RunState, StepKind
from agents.version_changes import changes_between
from audit.clock import database_now

GOES_ON: Final = "goes_on"
FINISHES_OLD: Final = "finishes_on_its_old_definition"
NEEDS_PERSON: Final = "needs_a_person"
NAMED_RUNS: Final = 20


@dataclass(frozen=True)
class Outlook:
    """What becomes of some runs of one agent version.

    `outlook` is one of the words above, `why` a sentence, `changes` are sentences. `runs` counts them by
    state; `run_ids` are the first of them.
    """

    agent: str
    title: str
    version: str
    installed_version: str | None
    outlook: str
    why: str
    changes: list[str]
    runs: dict[str, int]
    run_ids: list[str]

    @property
    def count(self) -> int:
        return sum(self.runs.values())


@dataclass(frozen=True)
class AtWork:
    """A run that a worker holds now."""

    run: str
    title: str
    agent: str
    worker: str
    lease_ends: str


def outlooks() -> list[Outlook]:
    """Every open run, by agent, version and what becomes of it. The number of queries does not grow with
    the number of runs."""
    seen: dict[tuple[str, str, str, str], list[tuple[UUID, str]]] = defaultdict(list)
    versions = _open_versions()
    special = _special()
    told: dict[tuple[str, frozenset[str]], tuple[str, str]] = {}
    rows = Run.objects.open().order_by("agent__slug", "created_at", "id")
    for run_id, state, slug, digest in rows.values_list(
        "pk", "state", "agent__slug", "agent_version__digest"
    ):
        marks = special.get(run_id, frozenset())
        if (digest, marks) not in told:
            told[digest, marks] = _outlook(versions[digest], marks)
        seen[slug, digest, *told[digest, marks]].append((run_id, state))
    return [_group(versions[key[1]], key[2], key[3], runs) for key, runs in seen.items()]


def at_work() -> list[AtWork]:
    """Runs whose lease is held, with the worker that holds it."""
    rows = Run.objects.filter(state=RunState.RUNNING, lease_expires_at__gt=database_now())
    columns = ("pk", "title", "agent__slug", "lease_owner", "lease_expires_at")
    return [
        AtWork(str(run_id), title, slug, worker, ends.isoformat())
        for run_id, title, slug, worker, ends in rows.order_by("started_at").values_list(*columns)
    ]


def not_activated() -> list[str]:
    """Slugs of agents with open runs whose installed version is not the one that new runs would take."""
    counted = Run.objects.open().values("agent__slug", "agent__active_version__digest")
    found = counted.annotate(runs=Count("pk")).order_by("agent__slug")
    return [
        row["agent__slug"]
        for row in found
        if (agent := registry.find(row["agent__slug"])) is not None
        and agent.version != row["agent__active_version__digest"]
    ]


def as_json(found: Iterable[Outlook]) -> list[dict[str, Any]]:
    """The outlooks for programs."""
    return [asdict(each) for each in found]


def _open_versions() -> dict[str, Run]:
    """One open run of each version that has one, by the version's digest."""
    used = AgentVersion.objects.filter(runs__in=Run.objects.open()).distinct()
    some = Run.objects.open().filter(agent_version__in=used).order_by("agent_version_id", "id")
    rows = some.distinct("agent_version_id").select_related(
        "agent__active_version", "agent_version"
    )
    rows = rows.only(
        "agent__slug",
        "agent__title",
        "agent__active_version__digest",
        "agent_version__digest",
        "agent_version__definition",
    )
    return {run.agent_version.digest: run for run in rows}


def _special() -> dict[UUID, frozenset[str]]:
    """What is known of single runs: a journal that is too new, a choice that holds, a call that is lost."""
    marks: dict[UUID, set[str]] = defaultdict(set)
    open_runs = Run.objects.open()
    newer = Step.objects.filter(run__in=open_runs, schema__gt=Step.SCHEMA)
    for run_id in newer.values_list("run_id", flat=True).distinct():
        marks[run_id].add("too_new")
    chosen = Step.objects.filter(
        run__in=open_runs, kind=StepKind.ATTENTION, name=TOOLS_CHANGED, output__choice=FINISH_OLD
    )
    for run_id, output, slug in chosen.values_list("run_id", "output", "run__agent__slug"):
        installed = registry.find(slug)
        if installed is not None and (output or {}).get("installed") == installed.version:
            marks[run_id].add("chosen")
    lost = EffectRecord.objects.filter(
        run__in=open_runs.exclude(state=RunState.RUNNING), state=EffectState.DISPATCHED
    )
    lost = lost.select_related("run__agent", "step").only(
        "digest", "effect_class", "run__agent__slug", "step__name", "step__arguments"
    )
    for effect in lost:
        agent = registry.find(effect.run.agent.slug)
        tool = agent.tool(effect.step.name) if agent else None
        if tool is None or not is_same_call(tool, effect.step, effect):
            marks[effect.run_id].add("lost")
    return {run_id: frozenset(found) for run_id, found in marks.items()}


def _outlook(run: Run, marks: frozenset[str]) -> tuple[str, str]:
    """The word and the sentence for a run like this one, with these marks."""
    if "too_new" in marks:
        return NEEDS_PERSON, "Its journal was written by a newer release."
    if "lost" in marks:
        return (
            NEEDS_PERSON,
            "A call was sent by another version of its tool; nobody knows its outcome.",
        )
    installed = registry.find(run.agent.slug)
    trouble = describe_drift(installed, run, Journal([]))
    if trouble is not None:
        if "chosen" in marks:
            return FINISHES_OLD, "A person chose that it finishes on its old definition."
        return NEEDS_PERSON, _why(trouble)
    if installed is not None and installed.version != run.agent_version.digest:
        return FINISHES_OLD, "Its tools are the same; only what it is told or bounded by changed."
    return GOES_ON, "It is of the installed version."


def _why(trouble: Trouble) -> str:
    facts = "; ".join(f"{label.lower()}: {value}" for label, value in trouble.facts.items())
    ways = " or ".join(way.label.lower() for way in trouble.choices)
    choice = f" The choice is to {ways}, or to stop." if ways else ""
    title = trouble.title[:1].upper() + trouble.title[1:]
    return f"{title} ({facts}).{choice}" if facts else f"{title}.{choice}"


def _group(run: Run, word: str, why: str, runs: list[tuple[UUID, str]]) -> Outlook:
    installed = registry.find(run.agent.slug)
    states: dict[str, int] = defaultdict(int)
    for _, state in runs:
        states[state] += 1
    changes = (
        changes_between(run.agent_version.definition, installed.definition) if installed else []
    )
    return Outlook(
        agent=run.agent.slug,
        title=run.agent.title,
        version=run.agent_version.digest,
        installed_version=installed.version if installed else None,
        outlook=word,
        why=why,
        changes=changes,
        runs=dict(sorted(states.items())),
        run_ids=[str(run_id) for run_id, _ in runs[:NAMED_RUNS]],
    )
