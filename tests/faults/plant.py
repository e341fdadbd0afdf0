"""The workshop running: real worker pools and a scheduler that die at named points, over servers of its own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from django.conf import settings
from django.db import connection
from django.test import override_settings

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from agents import registry
from agents.models import EffectRecord, Run
from agents.services.operate_agent import activate_version
from agents.services.start_run import start_run
from agents.services.sync import sync_agents
from approvals.models import ApprovalRequest
from approvals.policies import load
from approvals.schemas import DecisionIn
from approvals.services.decide import Decided, decide
from approvals.services.policies import current
from approvals.services.publish import publish
from audit.actors import Actor
from countersign.embedded.layout import DATABASE, LOGINS
from tests.faults.outside import Recorder, reply, ticket_text
from tests.faults.works.agents import RECORDER, foreman, relay, sorter, works
from tests.harness.environment import TestProcess
from tests.harness.people import person
from tests.harness.stack import Found, Stack
from tests.model_server import ModelServer

TEST = Actor.system("test")
SMALL = {
    "name": "small-jobs",
    "title": "Small jobs",
    "when": {"agents": ["works"], "condition": "args.amount <= 5.0"},
    "effect": "allow",
    "threshold": "0.80",
    "accepts_taint": True,
}
# Where the points of each process are armed.
ROLES = {
    "resumes": "worker",
    "runs": "worker",
    "background": "worker",
    "web": "web",
    "scheduler": "scheduler",
    "second scheduler": "scheduler",
}
WORKERS = ("resumes", "runs", "scheduler")
NO_UNDO = {"undo_seconds": 0.0}
# What takes a second takes many on a machine that does much else.
PATIENCE = 120.0
_tickets = count(1)


def make_ledger(superuser_url: str) -> None:
    """The table in which the transactional tool books."""
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        superuser.execute("CREATE TABLE works_ledger (key text, arguments jsonb)")
        superuser.execute(f"GRANT SELECT, INSERT ON works_ledger TO {LOGINS['app']}")


def appoint() -> tuple[User, User, User]:
    """An operator and two reviewers, who are in every group."""
    groups = tuple(
        ReviewGroup.objects.get_or_create(slug=slug, defaults={"title": slug.title()})[0]
        for slug in ("finance", "support")
    )
    return (
        person("operator", "operator"),
        person("reviewer", "reviewer", groups=groups),
        person("second-reviewer", "reviewer", groups=groups),
    )


def allow_small_jobs() -> None:
    """Publish the shipped policy without undo time, and with small jobs allowed."""
    with override_settings(COUNTERSIGN=settings.COUNTERSIGN.model_copy(update=NO_UNDO)):
        published = current()
    document = published.policy.document()
    document["rules"] = [*document["rules"], SMALL]
    publish(document=load(document), base_version=published.version, caller=TEST, why="For tests.")


class Plant(Stack):
    """A stack of two worker pools and a scheduler, with the recorder and the model outside of it."""

    def __init__(self, process: TestProcess, **changes: object) -> None:
        self.recorder = Recorder()
        self.model = ModelServer(reply)
        shipped: dict[str, object] = {
            "openai_base_url": self.model.url,
            "openai_api_key": "test",
            "openai_model": "scripted",
            "apps": "tests.faults.works",
            "resume_workers": 2,
            "lease_seconds": 1,
            "lease_renewal_seconds": 0.25,
            "sweep_seconds": 0.3,
        }
        super().__init__(process, **{**shipped, **changes})
        for role in set(ROLES.values()):
            (self.folder / "points" / role).mkdir(parents=True)

    def open(self) -> Plant:
        """Bring everything up: database, people, agent, policy, processes."""
        self.use_own_postgres()
        assert self.own_postgres is not None
        make_ledger(self.cluster.superuser_url(DATABASE))
        self.operator, self.reviewer, self.second_reviewer = appoint()
        agents = (works, foreman, relay, sorter)
        for agent in agents:
            registry.register(agent)
        sync_agents(agents, actor=TEST)
        for agent in agents:
            activate_version(slug=agent.slug, digest=agent.version, caller=TEST)
        allow_small_jobs()
        self.run(*WORKERS)
        self.programs["second scheduler"] = self.programs["scheduler"]
        return self

    def restart_postgres(self) -> None:
        """Kill the database server with everything it was doing, and start it again."""
        server = self.own_postgres
        assert server is not None
        assert server.process is not None
        server.process.send_signal(signal.SIGQUIT)
        server.process.wait()
        server.start()
        # The test's own connection broke with it.
        connection.close()

    def close(self) -> None:
        """End everything."""
        self.disarm()
        self.stop()
        self.model.close()
        self.recorder.close()
        for agent in (works, foreman, relay, sorter):
            registry.unregister(agent.slug)

    def environment_of(self, name: str) -> dict[str, str]:
        points = self.folder / "points" / ROLES[name]
        more = {"COUNTERSIGN_FAULT_POINTS": str(points), RECORDER: self.recorder.url}
        return {**self.environment(), **more}

    def wait_for(
        self,
        condition: Callable[[], Found],
        deadline: float = PATIENCE,
        what: str = "the condition",
    ) -> Found:
        """Ask until the answer is true, with patience."""
        return super().wait_for(condition, deadline, what)

    # -- faults

    def arm(self, role: str, point: str, what: str = "kill") -> None:
        """Let one process of that role die (or `stop`) at the point, once."""
        made = self.folder / "points" / role / f".{point}"
        made.write_text(what)
        made.rename(made.with_name(point))

    def used(self, role: str, point: str) -> int | None:
        """The id of the process that the point has struck, if it has; asked for once."""
        for found in (self.folder / "points" / role).glob(f"{point}.used.*"):
            found.unlink()
            return int(found.suffix[1:])
        return None

    def struck(self, role: str, point: str) -> int:
        """Wait until the point has struck a process, and give its id."""
        return self.wait_for(lambda: self.used(role, point), what=f"{point} has struck") or 0

    def disarm(self) -> None:
        """Take every armed point back, and wake what stands still."""
        for marker in (self.folder / "points").glob("*/*"):
            if ".used." in marker.name:
                with suppress(ProcessLookupError):
                    os.kill(int(marker.suffix[1:]), signal.SIGCONT)
            marker.unlink(missing_ok=True)

    def workers_of(self, name: str) -> list[int]:
        """The process ids of the workers in a pool."""
        pool = self.running[name].pid
        listed = Path(f"/proc/{pool}/task/{pool}/children").read_text()
        return [int(child) for child in listed.split()]

    def log_of(self, name: str) -> str:
        """All that a process and its workers have said."""
        return self._log(name).read_text(errors="replace")

    # -- work

    def start_works(self, *rounds: list[tuple[str, str]]) -> tuple[str, Run]:
        """Start a run whose model makes these calls, reply by reply; its ticket and the run."""
        ticket = f"T{next(_tickets)}"
        text = ticket_text(ticket, list(rounds))
        run, _ = start_run(agent="works", input=text, caller=Caller.of_session(self.operator))
        return ticket, run

    def start_foreman(self, *rounds: list[tuple[str, str]]) -> tuple[str, Run]:
        """Start a run that hands on work in each of these rounds; its ticket and the run."""
        ticket = f"T{next(_tickets)}"
        text = ticket_text(ticket, list(rounds))
        run, _ = start_run(agent="foreman", input=text, caller=Caller.of_session(self.operator))
        return ticket, run

    def start_sorter(self) -> tuple[str, Run]:
        """Start a run whose task is sorted first, and which then pays once; its ticket and the run."""
        ticket = f"T{next(_tickets)}"
        text = ticket_text(ticket, [[("pay", "20.00")]])
        run, _ = start_run(agent="sorter", input=text, caller=Caller.of_session(self.operator))
        return ticket, run

    def child_of(self, run: Run) -> Run:
        """The one run that it handed work to, once it waits for a person."""

        def look() -> Run | None:
            return Run.objects.filter(parent=run, state="waiting").first()

        return self.wait_for(look, what="the child waits")

    def start_relay(self) -> tuple[str, Run]:
        """Start a run of the workflow, which does one job; its ticket and the run."""
        ticket = f"T{next(_tickets)}"
        text = json.dumps({"ticket": ticket, "amount": "20.00"})
        run, _ = start_run(agent="relay", input=text, caller=Caller.of_session(self.operator))
        return ticket, run

    def parked(self, *rounds: list[tuple[str, str]]) -> tuple[str, Run]:
        """Such a run, waiting for a person."""
        ticket, run = self.start_works(*rounds)
        self.wait_until(run, "waiting")
        return ticket, run

    def wait_until(self, run: Run, *states: str) -> str:
        """Wait until the run stands in one of these states."""

        def look() -> str:
            state = Run.objects.values_list("state", flat=True).get(pk=run.pk)
            return state if state in states else ""

        return self.wait_for(look, what=f"the run is {' or '.join(states)}")

    def pending(self, run: Run) -> list[ApprovalRequest]:
        """The requests that the run waits for, in the order of its steps."""
        return list(
            ApprovalRequest.objects.filter(run_id=run.pk, state="pending").order_by("step_seq")
        )

    def decide(
        self, request: ApprovalRequest, verdict: str, by: User | None = None, **body: Any
    ) -> Decided:
        """Decide on what the request shows now."""
        seen = {name: getattr(request, name) for name in ("revision", "digest", "shown_sha256")}
        decision = DecisionIn.model_validate(
            {"verdict": verdict, "nonce": uuid4().hex, **seen, **body}
        )
        caller = Caller.of_session(User.objects.get(pk=(by or self.reviewer).pk))
        return decide(request_id=request.pk, decision=decision, caller=caller)

    def approve(self, run: Run) -> None:
        """Approve all that the run waits for."""
        for request in self.pending(run):
            self.decide(request, "approve")

    def effect_of(self, run: Run) -> EffectRecord:
        """The one effect of the run."""
        return EffectRecord.objects.get(run=run)

    def done(self, ticket: str) -> list[str]:
        """The keys of everything that was done for the ticket, outside and in our books, in order."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT key FROM works_ledger WHERE arguments->>'ticket' = %s", [ticket])
            booked = [key for (key,) in cursor.fetchall()]
        return [made.key for made in self.recorder.of(ticket)] + booked
