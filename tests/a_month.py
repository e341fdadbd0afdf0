"""A month of a house, for pictures: runs, journals, requests and votes in plausible shares, the same each time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from accounts.models import User
from agents.models import AgentVersion, HostedAgent, Run, Step
from approvals.models import ApprovalRequest, Viewing, Vote

SHA: Final = "sha256:" + "0" * 64
DAYS: Final = 29
#: Runs on a working day, the tools and the riskiest of them, for each agent.
BUSY: Final = {
    "refund-desk": (14, ("look_up_order", "read_refund_rules"), "issue_refund"),
    "supplier-payout": (6, ("find_invoice", "check_limits"), "pay_supplier"),
    "data-steward": (4, ("describe_tables", "query"), "change_rows"),
}
#: Of a tool that is called wrongly now and then, which of its arguments is wrong.
ARGUMENTS: Final = {"query": "sql", "find_invoice": "invoice", "check_limits": "amount"}
#: What people said, and how a run ended after it.
VERDICTS: Final = (
    *(("approved", "done"),) * 17,
    *(("edited", "done"),) * 3,
    *(("rejected", "done"),) * 2,
    ("sent_back", "done"),
    ("expired", "stopped"),
    ("stopped", "stopped"),
)


@dataclass
class Month:
    """Makes it up. `people` decide, the first of them most; `until` is the day that is not over yet."""

    people: list[User]
    starter: User
    until: datetime
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    runs: list[Run] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    requests: list[ApprovalRequest] = field(default_factory=list)
    viewings: list[Viewing] = field(default_factory=list)
    votes: list[Vote] = field(default_factory=list)

    def write(self) -> None:
        """All of it, in the database."""
        versions = {slug: AgentVersion.objects.filter(slug=slug).latest("pk") for slug in BUSY}
        agents = {agent.slug: agent for agent in HostedAgent.objects.filter(slug__in=BUSY)}
        for back in range(DAYS, 0, -1):
            day = self.until - timedelta(days=back)
            share = 0.25 if day.weekday() >= 5 else 0.8 + 0.5 * (DAYS - back) / DAYS
            for slug, (usual, _, _) in BUSY.items():
                for _ in range(round(usual * share * self.dice.uniform(0.7, 1.3))):
                    self._run(agents[slug], versions[slug], day)
        Run.objects.bulk_create(self.runs)
        ApprovalRequest.objects.bulk_create(self.requests)
        Viewing.objects.bulk_create(self.viewings)
        Vote.objects.bulk_create(self.votes)
        Step.objects.bulk_create(self.steps)

    def _run(self, agent: HostedAgent, version: AgentVersion, day: datetime) -> None:
        dice = self.dice
        began = day.replace(hour=7) + timedelta(seconds=dice.randrange(10 * 3600))
        said, outcome = dice.choice(VERDICTS) if dice.random() < 0.4 else ("", "done")
        if dice.random() < 0.05:
            outcome = dice.choice(("abstained", "failed"))
        waited = timedelta(seconds=dice.lognormvariate(6.2, 1.1)) if said else timedelta()
        worked = timedelta(seconds=dice.lognormvariate(2.1, 0.5))
        reads = dice.randrange(1, 7)
        run = Run(
            agent=agent,
            agent_version=version,
            initiator=self.starter,
            input={},
            input_digest=SHA,
            title="A task of an earlier day",
            state={"stopped": "cancelled", "failed": "failed"}.get(outcome, "succeeded"),
            outcome=outcome,
            created_at=began,
            started_at=began,
            finished_at=began + waited + worked,
            waited_seconds=waited.total_seconds(),
            step_count=2 * reads + 3,
        )
        self.runs.append(run)
        seq = 0
        _, looks, risky = BUSY[agent.slug]
        for number in range(reads):
            seq = self._model(run, seq, began)
            seq = self._call(run, seq, began, looks[number % len(looks)])
        seq = self._model(run, seq, began)
        seq = self._call(run, seq, began + worked + waited, risky, said)
        if outcome == "failed":
            self.steps[-1].state, self.steps[-1].problem = "failed", "timed_out"

    def _model(self, run: Run, seq: int, at: datetime) -> int:
        self.steps.append(
            Step(
                run=run,
                seq=seq + 1,
                kind="model",
                state="succeeded",
                cost_micros=self.dice.randrange(2_000, 30_000),
                attempts=[{"error": "timeout"}] if self.dice.random() < 0.02 else [],
                started_at=at,
                finished_at=at,
            )
        )
        return seq + 1

    def _call(self, run: Run, seq: int, at: datetime, tool: str, said: str = "") -> int:
        step = Step(
            run=run, seq=seq + 1, kind="tool", name=tool, state="succeeded", started_at=at,
            finished_at=at, judgement={"verdict": {"outcome": "review" if said else "allow"}},
        )  # fmt: skip
        self.steps.append(step)
        if said:
            self._decide(run, step, said, at)
        elif self.dice.random() < 0.015:
            step.state, step.problem, step.judgement = "failed", "arguments_invalid", None
            step.output = {
                "message": f"{ARGUMENTS.get(tool, 'order')}: String should match pattern"
            }
        return seq + 1

    def _decide(self, run: Run, step: Step, said: str, at: datetime) -> None:
        dice = self.dice
        kind = "approved" if said == "edited" else said
        by = dice.choices(self.people, weights=range(len(self.people) + 1, 1, -1))[0]
        opened = at - timedelta(seconds=run.waited_seconds)
        risk = dice.choice(("medium", "high", "high", "critical"))
        request = ApprovalRequest(
            kind="action",
            state={"approved": "consumed", "sent_back": "superseded", "expired": "expired"}.get(
                kind, "rejected"
            ),
            run_id=run.pk,
            agent=run.agent_version.slug,
            agent_title=run.agent.title,
            agent_version=run.agent_version.digest,
            tool=step.name,
            title="A request of an earlier day",
            preview={"title": "A request of an earlier day", "summary": ""},
            digest=SHA,
            shown_sha256=SHA,
            risk=risk,
            risk_rank=("low", "medium", "high", "critical").index(risk),
            created_at=opened,
            decided_at=at,
            decided_by=by if kind != "expired" else None,
            ready_at=at if kind == "approved" else None,
            review_deadline=opened + timedelta(hours=4) if kind != "expired" else at,
            resolution={"kind": kind, "data": {"edited": said == "edited"}},
        )
        self.requests.append(request)
        step.approval_id = request.pk
        step.resolution = {
            "kind": kind,
            "edited": said == "edited",
            "by_id": str(by.pk) if kind != "expired" else None,
        }
        if kind != "approved":
            step.state = "refused"
        if kind == "expired":
            return
        looked = at - timedelta(seconds=min(run.waited_seconds, dice.lognormvariate(3.5, 0.8)))
        self.viewings.append(Viewing(request=request, revision=1, user=by, opened_at=looked))
        self.votes.append(
            Vote(
                request=request,
                revision=1,
                user=by,
                auth="session",
                verdict="edit"
                if said == "edited"
                else "approve"
                if kind == "approved"
                else "reject",
                nonce=str(uuid4()),
                body_sha256=SHA,
                digest=SHA,
                shown_sha256=SHA,
                opened_at=looked,
                active_seconds=round((at - looked).total_seconds()),
                created_at=at,
            )
        )
