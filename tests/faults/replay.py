"""Read the audit events again, and say where runs, requests and effects stand otherwise than they tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import orjson

from agents.models import EffectRecord, Run, Step
from agents.states import ENDED
from approvals.models import ApprovalRequest
from audit.models import Event

Told = list[dict[str, Any]]
REQUEST_STATES = {
    "request.opened": "pending",
    "request.undone": "pending",
    "request.expired": "expired",
    "request.cancelled": "cancelled",
    "request.superseded": "superseded",
    "approval.lapsed": "lapsed",
    "effect.dispatched": "consumed",
}
EFFECT_STATES = {
    "effect.dispatched": "dispatched",
    "effect.succeeded": "succeeded",
    "effect.failed": "failed",
    "effect.in_doubt": "in_doubt",
}


def disagreements() -> Iterator[str]:
    """A sentence for each row that stands elsewhere than its events lead."""
    by_run: dict[str, Told] = defaultdict(list)
    by_request: dict[str, Told] = defaultdict(list)
    by_effect: dict[str, Told] = defaultdict(list)
    in_doubt = _in_doubt()
    for body in Event.objects.oldest_first().values_list("body", flat=True).iterator(2_000):
        event = orjson.loads(bytes(body))
        if event["type"].startswith(("run.", "model.")):
            by_run[event["agent"]["run"]].append(event)
        if request := event.get("request"):
            by_request[request].append(event)
        effect = event.get("facts", {}).get("effect") or in_doubt.get(event.get("request"))
        if effect and event["type"].startswith("effect."):
            by_effect[effect].append(event)
    yield from _runs(by_run)
    yield from _requests(by_request)
    yield from _effects(by_effect)


def _in_doubt() -> dict[str | None, str]:
    """The effect that each request about an unknown outcome speaks of."""
    steps = Step.objects.filter(kind="in_doubt", approval_id__isnull=False)
    return {str(step.approval_id): (step.request or {})["effect"] for step in steps}


def _runs(told: dict[str, Told]) -> Iterator[str]:
    replies: dict[str, int] = defaultdict(int)
    for run_id in Step.objects.filter(kind="model", state="succeeded").values_list(
        "run_id", flat=True
    ):
        replies[str(run_id)] += 1
    for run in Run.objects.all().iterator(2_000):
        events = told.pop(str(run.pk), [])
        types = [event["type"] for event in events]
        if types.count("run.started") != 1:
            yield f"run {run.pk} was started {types.count('run.started')} times"
        ends = [event for event in events if event["type"] in ("run.ended", "run.cancelled")]
        said = [event["outcome"]["decision"] for event in ends]
        if said != ([run.state] if run.state in ENDED else []):
            yield f"run {run.pk} is {run.state} and its events say {said}"
        moves = [kind for kind in types if kind in ("run.parked", "run.woken")]
        if run.state == "waiting" and moves[-1:] != ["run.parked"]:
            yield f"run {run.pk} waits and its events end with {moves[-1:]}"
        if types.count("model.called") != replies[str(run.pk)]:
            yield f"run {run.pk} has {replies[str(run.pk)]} replies, told {types.count('model.called')}"
    for run_id in told:
        yield f"run {run_id} is told of and is not there"


def _requests(told: dict[str, Told]) -> Iterator[str]:
    for request in ApprovalRequest.objects.all().iterator(2_000):
        state, opened = "", 0
        for event in told.pop(str(request.pk), []):
            opened += event["type"] == "request.opened"
            state = REQUEST_STATES.get(event["type"], state)
            if event["type"] == "request.decided":
                state = event["facts"]["state"]
        if (opened, state) != (1, request.state):
            yield f"request {request.pk} is {request.state}, told {state} and opened {opened} times"
    for request_id in told:
        yield f"request {request_id} is told of and is not there"


def _effects(told: dict[str, Told]) -> Iterator[str]:
    for effect in EffectRecord.objects.all().iterator(2_000):
        state, seen = "", []
        for event in told.pop(str(effect.pk), []):
            seen.append(event["type"])
            state = EFFECT_STATES.get(event["type"], state)
            if event["type"] == "effect.resolved":
                state = "succeeded" if event["outcome"]["decision"] == "happened" else "failed"
        if state != effect.state or len(seen) != len(set(seen)):
            yield f"effect {effect.pk} is {effect.state}, told {seen}"
    for effect_id in told:
        yield f"effect {effect_id} is told of and is not there"
