"""What pages show as somebody wrote it, and what else they say in English to whoever reads German."""

from __future__ import annotations

import json
from typing import Any

from agents.kill_switches import KillSwitch
from agents.models import AgentVersion, Run
from approvals.layouts import lay_out
from approvals.models import ApprovalRequest, PolicyVersion, ReasonChip, WorkingCalendar
from audit.verification import Verification


def written() -> str:
    """What people, agents and tools wrote, and pages show as it stands."""
    rows: list[Any] = [
        *ApprovalRequest.objects.values("title", "preview", "arguments", "evidence", "rationale"),
        *Run.objects.values("title", "input"),
        *AgentVersion.objects.values("definition"),
        *PolicyVersion.objects.values("document", "why"),
        *ReasonChip.objects.values("label"),
        *WorkingCalendar.objects.values("document"),
        *KillSwitch.objects.values("reason"),
        *Verification.objects.values("summary"),
        *(
            " ".join(str(value).split())
            for evidence in ApprovalRequest.objects.values_list("evidence", flat=True)
            for entry in evidence
            for fact in lay_out(entry.get("result")).facts
            for value in fact.get("lines") or [fact["value"]]
        ),
    ]
    return json.dumps(rows, default=str, ensure_ascii=False)
