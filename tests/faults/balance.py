"""What must hold whatever died: runs found again, effects counted outside, approvals, events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from django.db import connection

from agents.authoring import EffectClass, Tool
from agents.models import EffectRecord, Run
from agents.states import ENDED
from approvals.digests import action_digest
from approvals.models import ApprovalRequest, Vote
from audit.fsck import Checked, check
from audit.models import Event
from tests.faults.outside import Call, Recorder
from tests.faults.replay import disagreements
from tests.faults.works.agents import works

LOST = "lost runs"
DOUBLED = "doubled opaque effects"
KEYS = "repeats under another key"
UNAPPROVED = "effects without an equal approval"
UNTOLD = "audit events that disagree with state"


class Counted(Protocol):
    """Where effects were counted outside the product."""

    @property
    def recorder(self) -> Recorder: ...


def violations(plant: Counted) -> dict[str, list[str]]:
    """Sentences by what they violate. Every list is empty when all is well."""
    calls = [*plant.recorder.calls, *_booked()]
    return {
        LOST: list(_lost()),
        DOUBLED: list(_doubled(calls)),
        KEYS: list(_keys(calls)),
        UNAPPROVED: list(_unapproved(calls)),
        UNTOLD: [*disagreements(), *check(Checked())],
    }


def at_rest(run: Run) -> bool:
    """Whether the run has ended, or stands at a request that a person may decide."""
    if run.state in ENDED:
        return True
    asked = ApprovalRequest.objects.filter(run_id=run.pk, state="pending").exists()
    return run.state == "waiting" and asked


def _booked() -> list[Call]:
    """What was done in our own books."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, arguments::text FROM works_ledger")
        return [Call("book", key, json.loads(arguments)) for key, arguments in cursor.fetchall()]


def _lost() -> Iterator[str]:
    for run in Run.objects.exclude(state__in=ENDED):
        if not at_rest(run):
            yield f"run {run.pk} is {run.state} and nobody is asked"


def _doubled(calls: list[Call]) -> Iterator[str]:
    made = Counter((call.tool, call.key) for call in calls if not _may_repeat(call))
    for (tool, key), times in made.items():
        if times > 1:
            yield f"{tool} {key} was done {times} times"


def _keys(calls: list[Call]) -> Iterator[str]:
    """A repeat carries the key of the first; two keys are two effects that were both approved."""
    known = set(EffectRecord.objects.values_list("idempotency_key", flat=True))
    for call in calls:
        if call.key not in known:
            yield f"{call.tool} was called with the key {call.key}, which belongs to no effect"


def _unapproved(calls: list[Call]) -> Iterator[str]:
    done = {call.key: call for call in calls}
    told = set(Event.objects.of_type("action.allowed").values_list("run", "tool"))
    for effect in EffectRecord.objects.select_related("step"):
        call = done.get(effect.idempotency_key)
        if call is not None and _digest(call) != effect.digest:
            yield f"effect {effect.pk} was intended with other arguments than were sent"
        if effect.state == "succeeded" and call is None:
            yield f"effect {effect.pk} succeeded and nothing was done"
        if effect.step.state == "succeeded" and effect.step.output is None:
            yield f"effect {effect.pk} has no result"
        if effect.approval_id is None:
            judged = (effect.step.judgement or {})["verdict"]["outcome"]
            if judged != "allow" or (effect.run_id, effect.step.name) not in told:
                yield f"effect {effect.pk} has neither an approval nor an allow verdict"
        elif not _approved(effect):
            yield f"effect {effect.pk} has no approval of its digest and revision"


def _approved(effect: EffectRecord) -> bool:
    request = ApprovalRequest.objects.get(pk=effect.approval_id)
    vote = Vote.objects.filter(
        request=request, verdict="approve", counts=True, revision=effect.approval_revision
    ).first()
    return bool(
        vote
        and vote.digest == effect.digest
        and request.state == "consumed"
        and request.digest == effect.digest
        and request.revision == effect.approval_revision
        and request.decided_at
        and effect.dispatched_at
        and request.decided_at <= effect.dispatched_at
    )


def _digest(call: Call) -> str:
    tool = _tool(call)
    return action_digest(tool.name, tool.version, call.arguments)


def _may_repeat(call: Call) -> bool:
    return _tool(call).effect_class is EffectClass.IDEMPOTENT


def _tool(call: Call) -> Tool:
    tool = works.tool(call.tool)
    assert tool is not None, f"{call.tool} is no tool of the works"
    return tool
