"""Simulations of drafts over the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import BaseModel, ConfigDict, Field

from accounts.doors import signed_in
from approvals.answers import (
    SimulationOut,
)
from approvals.authority import readable_draft
from approvals.errors import SimulationUnknown
from approvals.models import Simulation
from approvals.representations import simulation_as_json
from approvals.services.simulate import ask_simulation
from audit.clock import database_now

router = Router(tags=["policies"])


class SimulateIn(BaseModel):
    """A range of time (the last 30 days unless given), and the key of the threshold for the curve:
    `risk=low`, `agent=a&tool=t`, `rule=name`, `default`."""

    model_config = ConfigDict(extra="forbid")

    since: datetime | None = None
    until: datetime | None = None
    line: str = Field(default="", max_length=400)


@router.post(
    "policies/drafts/{int:draft_id}/simulate",
    response={200: SimulationOut, 202: SimulationOut},
    operation_id="simulate_draft",
    summary="Simulate",
)
def post_simulate(request: HttpRequest, draft_id: int, body: SimulateIn) -> Status[dict[str, Any]]:
    """What the draft would have made of past actions. 200 with the result where they are few, else 202:
    look again at `policies/simulations/{id}`."""
    until = body.until or database_now()
    simulation = ask_simulation(
        draft_id=draft_id,
        since=body.since or until - timedelta(days=30),
        until=until,
        line=body.line,
        caller=signed_in(request),
    )
    finished = simulation.state == Simulation.State.FINISHED
    return Status(200 if finished else 202, simulation_as_json(simulation))


@router.get(
    "policies/simulations/{uuid:simulation_id}",
    response=SimulationOut,
    operation_id="read_simulation",
    summary="One simulation",
)
def read_simulation(request: HttpRequest, simulation_id: UUID) -> dict[str, Any]:
    """How far it is, and its result once it is finished."""
    simulation = Simulation.objects.filter(pk=simulation_id).first()
    if simulation is None:
        raise SimulationUnknown(simulation_id)
    readable_draft(simulation.draft_id, signed_in(request))
    return simulation_as_json(simulation)
