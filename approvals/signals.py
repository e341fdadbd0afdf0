"""The one seam upwards: what a run must hear of, inside the deciding transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.dispatch import Signal

from approvals.states import RequestState

#: Sent inside the deciding transaction with `request: ApprovalRequest` and
#: `resolution: Resolution`. A receiver that raises undoes the decision.
request_resolved = Signal()


@dataclass(frozen=True)
class Resolution:
    """How a request ended, or that its approval was taken back.

    `kind` is one of: approved rejected sent_back stopped answered extended happened did_not
    compensate accepted corrected continued changed returned expired lapsed undone.
    `state` is the request's new state. `ready_at` is set for approvals: before it nothing may
    be dispatched. `data` carries what the verdict gave: arguments, answer, caps, result, output,
    choice, message, reason. A reason that was picked from the chips stands in `reason` in words, before
    those of the person, and as `reason_code` and `reason_label`; `edit_reason` says why an approved
    call was changed.
    """

    kind: str
    state: RequestState
    ready_at: datetime | None = None
    data: dict[str, Any] = field(default_factory=dict)
