"""Made-up history: runs, journals, effects, requests, looks and votes, the same each time for a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from accounts.models import ReviewGroup, User
from agents.models import AgentVersion, EffectRecord, HostedAgent, Run, Step
from approvals.models import ApprovalRequest, Viewing, Vote

SHA = "sha256:" + "0" * 64
AGENTS = {"refund-desk": "bounded", "payables": "workflow"}
TOOLS = {"issue_refund": ("order", "amount"), "read_order": ("order",)}
#: An agent that runs elsewhere: of it there are requests and nothing else.
ELSEWHERE = "elsewhere"
#: Long enough that two whole months are over, whatever the day.
DAYS = 125
BEGINS = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
ATTENTION = (
    "repairs_exhausted",
    "same_call",
    "crash_loop",
    "model_timeout",
    "tools_changed",
    "odd",
)
RESOLVED = ("approved", "approved", "approved", "sent_back", "rejected", "stopped", "expired", None)
ENDS = (
    ("succeeded", "done"),
    ("succeeded", "done"),
    ("succeeded", "done"),
    ("succeeded", "abstained"),
    ("cancelled", "stopped"),
    ("failed", "failed"),
    ("running", ""),
)


@dataclass
class Made:
    """Rows in the order in which they are written."""

    runs: list[Run] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    effects: list[EffectRecord] = field(default_factory=list)
    undone: list[tuple[EffectRecord, timedelta]] = field(default_factory=list)
    requests: list[ApprovalRequest] = field(default_factory=list)
    viewings: list[Viewing] = field(default_factory=list)
    votes: list[Vote] = field(default_factory=list)


class History:
    """Writes what it made up. `people` decide; days begin at `BEGINS`. `leased`: for how long after its beginning
    a worker still holds a run that has not ended."""

    def __init__(
        self, seed: int, people: list[User], owner: ReviewGroup, leased: timedelta = timedelta(0)
    ) -> None:
        self.random = random.Random(seed)
        self.leased = leased
        self.people = people
        self.made = Made()
        self.agents = {}
        self.versions: dict[str, list[AgentVersion]] = {}
        for slug, category in AGENTS.items():
            agent, _ = HostedAgent.objects.get_or_create(
                slug=slug, defaults={"title": slug, "category": category, "owner_group": owner}
            )
            self.agents[slug] = agent
            self.versions[slug] = [self._version(slug, category, number) for number in range(2)]

    def _version(self, slug: str, category: str, number: int) -> AgentVersion:
        digest = f"sha256:{slug.encode().hex():0<62}{number:02}"[:71]
        tools = [
            {"name": name, "schema": {"properties": {key: {} for key in arguments}}}
            for name, arguments in TOOLS.items()
        ]
        definition = {"slug": slug, "category": category, "tools": tools}
        return AgentVersion.objects.get_or_create(
            digest=digest,
            defaults={"slug": slug, "definition": definition, "first_seen_at": BEGINS},
        )[0]

    def write(self, runs: int) -> Made:
        """So many runs over `DAYS` days, with everything that belongs to them."""
        for _ in range(runs):
            self._run()
        self._at_midnight(BEGINS + timedelta(days=60))
        made = self.made
        # A journal's ids are known only once its rows are written, so undos come after them.
        Run.objects.bulk_create(made.runs)
        ApprovalRequest.objects.bulk_create(made.requests)
        Viewing.objects.bulk_create(made.viewings)
        Vote.objects.bulk_create(made.votes)
        Step.objects.bulk_create(made.steps)
        EffectRecord.objects.bulk_create(made.effects)
        for effect, later in made.undone:
            self._undo(effect, later)
        return made

    def _at_midnight(self, at: datetime) -> None:
        """Of a day, the first moment, and the last one of the day before: runs, and requests from elsewhere."""
        for began in (at, at - timedelta(microseconds=1)):
            self._run(began)
            for kind in ("approved", "expired"):
                step = Step(run=Run(agent=HostedAgent(slug=ELSEWHERE)), kind="tool", name="wire")
                step.run.agent_version = AgentVersion(digest="v1")
                self._resolve(step.run, step, began, kind)

    def _run(self, began: datetime | None = None) -> None:
        pick = self.random.choice
        slug = pick(list(AGENTS))
        state, outcome = pick(ENDS)
        # A few lately, so that what they did may still be corrected.
        days = DAYS - 1 if pick([0, 0, 0, 0, 1]) else self.random.randrange(DAYS - 1)
        began = began or BEGINS + timedelta(days=days, seconds=self.random.randrange(86_400))
        ended = state != "running"
        took = timedelta(milliseconds=int(self.random.lognormvariate(10, 3)))
        run = Run(
            agent=self.agents[slug],
            agent_version=pick(self.versions[slug]),
            initiator=self.people[0],
            input={"text": "x"},
            input_digest=SHA,
            title="A made-up task",
            state=state,
            outcome=outcome,
            created_at=began,
            started_at=began,
            finished_at=began + took if ended else None,
            lease_expires_at=None if ended else began + self.leased,
            waited_seconds=self.random.random() * took.total_seconds() if pick([0, 1]) else 0.0,
            step_count=self.random.randrange(1, 30),
            simulated=pick([True, *[False] * 19]),
        )
        self.made.runs.append(run)
        if run.simulated:
            # Counted nowhere; the database refuses it effects and requests.
            return
        moments = sorted(self.random.random() for _ in range(self.random.randrange(1, 8)))
        for seq, share in enumerate(moments, start=1):
            self._step(run, seq, began + share * took)

    def _step(self, run: Run, seq: int, at: datetime) -> None:
        pick = self.random.choice
        kind = pick(
            ["model", "tool", "tool", "tool", "final", "budget", "attention", "message", "question"]
        )
        step = Step(
            run=run,
            seq=seq,
            kind=kind,
            name=kind,
            state="succeeded",
            started_at=at,
            finished_at=at,
            attempts=[{"error": "x"}] * pick([0, 0, 0, 1, 2]),
        )
        self.made.steps.append(step)
        if kind == "model":
            step.cost_micros = pick([None, 1_000, 25_000, 410_000])
            step.state, step.problem = pick(
                [("succeeded", ""), ("succeeded", ""), ("failed", "model_timeout")]
            )
        elif kind == "tool":
            self._call(run, step, at)
        elif kind == "final":
            self._resolve(run, step, at, pick([None, "accepted", "corrected", "sent_back"]))
        elif kind in ("budget", "attention"):
            step.name = "cost_micros" if kind == "budget" else pick(ATTENTION)
            self._resolve(run, step, at, pick(["extended", "continued", "stopped", "expired"]))
            if step.resolution and step.resolution["kind"] in ("stopped", "expired"):
                step.state = "refused"

    def _call(self, run: Run, step: Step, at: datetime) -> None:
        pick = self.random.choice
        step.name = pick([*TOOLS, *TOOLS, "made_up_by_the_model"])
        if step.name not in TOOLS:
            step.state, step.problem = "failed", "unknown_tool"
            return
        if pick([0, 0, 0, 0, 1]):
            step.state, step.problem = "failed", "arguments_invalid"
            step.output = {
                "message": pick(["amount: too much; order: no", "order.0: no", "invented: who"])
            }
            return
        gate = pick(["allow", "review", "review", "deny"])
        step.judgement = {"verdict": {"outcome": gate}}
        if gate == "deny":
            step.state, step.problem = "refused", "denied"
            return
        if gate == "review":
            self._resolve(run, step, at, pick(RESOLVED))
        said = (step.resolution or {}).get("kind")
        if gate == "review" and said != "approved":
            step.state = "refused"
            return
        if pick([0, 0, 0, 1]):
            step.state, step.problem = "failed", pick(["timed_out", "refused_by_tool"])
            return
        effect = EffectRecord(
            run=run,
            step=step,
            approval_id=step.approval_id,
            approval_revision=1 if step.approval_id else None,
            digest=SHA,
            effect_class="idempotent",
            idempotency_key=str(uuid4()),
            state=pick(["succeeded", "succeeded", "succeeded", "bounced"]),
            epoch=1,
        )
        self.made.effects.append(effect)
        if run.finished_at and pick([0, 0, 1]):
            self.made.undone.append((effect, timedelta(hours=self.random.randrange(-2, 120))))

    def _resolve(self, run: Run, step: Step, at: datetime, kind: str | None) -> None:
        """A request for the step, opened before that moment and closed at it; without a kind it was withdrawn."""
        pick = self.random.choice
        by = pick(self.people)
        decided = kind not in (None, "expired")
        edited = kind == "approved" and pick([0, 0, 1]) == 1
        opened = at - timedelta(milliseconds=int(self.random.lognormvariate(9, 2)))
        request = ApprovalRequest(
            kind={"tool": "action", "final": "result"}.get(step.kind, step.kind),
            state=self._state(kind),
            run_id=None if run.agent.slug == ELSEWHERE else run.pk,
            agent=run.agent.slug,
            agent_version=run.agent_version.digest,
            tool=step.name if step.kind == "tool" else "",
            title="A made-up request",
            preview={"title": "A made-up request", "summary": ""},
            digest=SHA,
            shown_sha256=SHA,
            risk=pick(["low", "medium", "high", "critical"]),
            risk_rank=0,
            created_at=opened,
            decided_at=at,
            decided_by=by if decided else None,
            ready_at=at if kind == "approved" else None,
            review_deadline=pick([None, at - timedelta(seconds=1), at + timedelta(hours=1)]),
            resolution={"kind": kind or "cancelled", "data": {"edited": edited}},
        )
        request.risk_rank = ["low", "medium", "high", "critical"].index(request.risk)
        self.made.requests.append(request)
        step.approval_id = request.pk
        if kind is not None:
            step.resolution = {
                "kind": kind,
                "edited": edited,
                "by_id": str(by.pk) if decided else None,
            }
        if pick([0, 1, 1]):
            for person in self.random.sample(self.people, 2):
                looked = opened + self.random.random() * (at - opened)
                self.made.viewings.append(
                    Viewing(request=request, revision=1, user=person, opened_at=looked)
                )
        if decided:
            self._vote(
                request, by, at, "edit" if edited else "approve" if kind == "approved" else "reject"
            )

    def _vote(self, request: ApprovalRequest, by: User, at: datetime, verdict: str) -> None:
        pick = self.random.choice
        before = pick([None, 500, 2_999, 3_000, 90_000])
        self.made.votes.append(
            Vote(
                request=request,
                revision=1,
                user=by,
                auth="session",
                verdict=verdict,
                nonce=str(uuid4()),
                body_sha256=SHA,
                digest=SHA,
                shown_sha256=SHA,
                opened_at=None if before is None else at - timedelta(milliseconds=before),
                active_seconds=pick([None, 2, 40]),
                created_at=at,
            )
        )

    @staticmethod
    def _state(kind: str | None) -> str:
        return {
            None: "cancelled",
            "approved": "consumed",
            "sent_back": "superseded",
            "rejected": "rejected",
            "stopped": "rejected",
            "expired": "expired",
        }.get(kind, "answered")

    def _undo(self, effect: EffectRecord, later: timedelta) -> None:
        """A run that undid it, so long after the end of the one that did it."""
        assert effect.run.finished_at is not None
        at = effect.run.finished_at + later
        undo = Run.objects.create(
            agent=effect.run.agent,
            agent_version=effect.run.agent_version,
            initiator=self.people[0],
            input={},
            input_digest=SHA,
            title="An undo",
            state="succeeded",
            outcome="done",
            created_at=at,
            finished_at=at,
            undoes=effect,
            parent=effect.run,
        )
        Step.objects.create(
            run=undo,
            seq=1,
            kind="tool",
            name="undo",
            state="succeeded",
            undoes=effect,
            judgement={"verdict": {"outcome": "allow"}},
            started_at=at,
            finished_at=at,
        )
