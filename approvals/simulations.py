"""Simulations as pages and API show them, and the history that they run over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db.models import (
    Avg,
    Case,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    OuterRef,
    When,
)
from django.db.models.functions import Extract, Least

from approvals import ports
from approvals.models import ApprovalRequest, PolicyVersion, RequestRevision, Simulation, Vote
from approvals.ports import PastCall
from approvals.schemas import Confidence, GateContext, ProposedAction
from approvals.simulating import Label, PastAction, Times
from approvals.states import RequestState

BATCH = 2_000
#: A page left open over lunch is no half day of deciding.
LONGEST_LOOK_SECONDS = 1_800.0


def newest_of(draft: PolicyVersion) -> Simulation | None:
    """The simulation that was asked for last on this draft."""
    return Simulation.objects.filter(draft=draft).order_by("-created_at", "-id").first()


def past_actions(since: datetime, until: datetime) -> Iterator[list[PastAction]]:
    """All actions that went before the gate in that time, in batches, with what people made of them."""
    calls = iter(ports.runs().past_calls(since, until))
    while batch := list(islice(calls, BATCH)):
        labels = _labels({call.request for call in batch if call.request is not None})
        yield [_past(call, labels) for call in batch]


def _past(call: PastCall, labels: dict[UUID, Label]) -> PastAction:
    return PastAction(
        at=call.at,
        action=ProposedAction.model_validate(call.action),
        confidence=Confidence.model_validate(call.confidence),
        context=GateContext.model_validate(call.context),
        request=call.request,
        label=labels.get(call.request) if call.request is not None else None,
    )


def _labels(requests: Iterable[UUID]) -> dict[UUID, Label]:
    """What people made of these requests; those that nobody has decided are left out."""
    edited = RequestRevision.objects.filter(
        request=OuterRef("pk"), editor__isnull=False, material=True
    )
    rows = ApprovalRequest.objects.filter(pk__in=list(requests)).values_list(
        "pk", "state", "resolution__kind", Exists(edited)
    )
    found = {pk: _label(RequestState(state), kind, changed) for pk, state, kind, changed in rows}
    return {pk: label for pk, label in found.items() if label is not None}


def _label(state: RequestState, kind: str | None, edited: bool) -> Label | None:
    if kind == "sent_back":
        return "sent_back"
    if state in (RequestState.REJECTED, RequestState.EXPIRED):
        return "refused"
    if state in (RequestState.APPROVED, RequestState.CONSUMED, RequestState.LAPSED):
        return "refused" if edited else "fine"
    return None


def decision_times(since: datetime, until: datetime) -> Times:
    """How long people took over one decision, in seconds: what their browser measured, else from
    opening the request to the verdict, at most half an hour."""
    looked = Extract(
        ExpressionWrapper(F("created_at") - F("opened_at"), output_field=DurationField()), "epoch"
    )
    seconds = Case(
        When(active_seconds__isnull=False, then=F("active_seconds")),
        default=looked,
        output_field=FloatField(),
    )
    votes = Vote.objects.filter(created_at__gte=since, created_at__lt=until).exclude(
        active_seconds__isnull=True, opened_at__isnull=True
    )
    capped = Least(seconds, LONGEST_LOOK_SECONDS, output_field=FloatField())
    rows = (
        votes.order_by().values_list("request__agent", "request__tool").annotate(mean=Avg(capped))
    )
    overall = votes.aggregate(mean=Avg(capped))["mean"]
    return Times({(agent, tool): float(mean) for agent, tool, mean in rows}, overall)
