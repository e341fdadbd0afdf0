"""The teller, its bank, a scripted model and a hand on the runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from agents import registry
from agents.models import Run, Step
from agents.runner import advance
from agents.services.operate_agent import activate_version
from agents.services.start_run import start_run
from agents.services.sync import sync_agents
from approvals.models import ApprovalRequest
from approvals.schemas import DecisionIn
from approvals.services.decide import decide
from approvals.vocabulary import Verdict
from audit.actors import Actor
from tests.agents.bank import Bank, teller
from tests.harness.people import person
from tests.model_server import ModelServer, Script

TEST = Actor.system("test")


def host(agent: Any) -> None:
    """Install and activate an agent, as a deploy would."""
    registry.unregister(agent.slug)
    registry.register(agent)
    sync_agents([agent], actor=TEST)
    activate_version(slug=agent.slug, digest=agent.version, caller=TEST)


@pytest.fixture
def bank(db: None, finance: ReviewGroup) -> Iterator[Bank]:
    """The bank, with its teller hosted."""
    bank = Bank()
    host(teller(bank))
    yield bank
    registry.unregister("teller")


@pytest.fixture
def model(settings: Settings) -> Iterator[ModelServer]:
    """The model that all agents ask."""
    server = ModelServer()
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={
            "openai_base_url": server.url,
            "openai_api_key": "test",
            "openai_model": "scripted",
            "model_backoff_seconds": 0.01,
            # A reply that a busy machine holds up is not made again, and a script is not out of step.
            "model_timeout_seconds": 60.0,
            "undo_seconds": 0.0,
            # The renewing thread does not see what the test's transaction holds back.
            "lease_seconds": 28_800.0,
            "lease_renewal_seconds": 14_400.0,
        }
    )
    yield server
    server.close()


@dataclass
class Counter:
    """Starts runs, turns the crank, decides; everything through the real services."""

    operator: User
    model: ModelServer
    captured: DjangoCaptureOnCommitCallbacks

    def start(self, script: Script, text: str = "Please pay.") -> Run:
        """Start a run whose model follows the script, and advance it as far as it goes."""
        self.model.follow(script)
        run, _ = start_run(agent="teller", input=text, caller=Caller.of_session(self.operator))
        return self.go_on(run)

    def go_on(self, run: Run) -> Run:
        """Advance the run as far as it goes."""
        advance(run.pk, owner="test", stopping=lambda: False)
        return Run.objects.get(pk=run.pk)

    def request(self, run: Run) -> ApprovalRequest:
        """The one pending request of the run."""
        return ApprovalRequest.objects.get(run_id=run.pk, state="pending")

    def decide(self, request: ApprovalRequest, verdict: Verdict, person: User, **body: Any) -> Any:
        """Decide as the person who reads the request now."""
        return decide(
            request_id=request.pk,
            decision=DecisionIn(
                verdict=verdict,
                revision=request.revision,
                digest=request.digest,
                shown_sha256=request.shown_sha256,
                nonce=f"nonce-{person.pk}-{request.version}",
                **body,
            ),
            caller=Caller.of_session(person),
        )


@pytest.fixture
def bystander(finance: ReviewGroup) -> User:
    """Somebody of Finance without a mail address who could decide, and who never does."""
    who = person("bystander", "reviewer", groups=(finance,))
    User.objects.filter(pk=who.pk).update(email="")
    return who


@pytest.fixture
def counter(
    bank: Bank,
    operator: User,
    bystander: User,
    model: ModelServer,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> Counter:
    return Counter(operator, model, django_capture_on_commit_callbacks)


@pytest.fixture
def steps_of() -> Callable[[Run], list[Step]]:
    def read(run: Run) -> list[Step]:
        return list(Step.objects.filter(run=run).in_order())

    return read
