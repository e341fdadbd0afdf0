"""The one seam upwards: approvals says that a request resolved; the run is woken."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from agents.services.resolve import hear_resolution
from approvals.signals import Resolution, request_resolved
from audit.actors import Actor


@receiver(request_resolved, dispatch_uid="agents.wake_run")
def wake_run(sender: object, *, request: Any, resolution: Resolution, **_later: Any) -> None:
    """Translate the signal; raising here undoes the decision, as it must."""
    decider = request.decided_by
    hear_resolution(
        request=request.pk,
        kind=resolution.kind,
        ready_at=resolution.ready_at,
        revision=request.revision,
        digest=request.digest,
        arguments=request.arguments,
        decided_by=str(decider) if decider else "",
        data=resolution.data,
        actor=Actor("person", str(decider.pk), "session") if decider else Actor.system("approvals"),
    )
