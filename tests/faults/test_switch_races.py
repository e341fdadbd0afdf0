# ruff: noqa: F811 - fixtures of other tests are imported, and taken by name
"""A kill switch against dispatch, in two real processes, hundreds of times: once setting it has returned, no
further intent to dispatch commits."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import ReviewGroup, User
from agents import registry
from agents.kill_switches import KillSwitch
from agents.models import EffectRecord, Run
from agents.services.lift_switch import lift_switch
from agents.services.set_switch import set_switch
from agents.states import SwitchScope
from approvals.models import ApprovalRequest
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import TEST, Counter, host, model  # noqa: F401
from tests.agents.test_effects import PAY
from tests.faults.dispatcher import READY
from tests.harness.cluster import PROJECT, product_environment
from tests.harness.environment import TestProcess
from tests.harness.rounds import Edge, rounds
from tests.model_server import Answer, ModelServer, call, calls, final

ROUNDS = rounds(12)
STEP_SECONDS = 0.002
SECONDS = 60.0


def reply(request: dict[str, Any]) -> Answer:
    """A wire; the end once there is a result."""
    if any(message["role"] == "tool" for message in request["messages"]):
        return final(summary="Wired.")
    return calls(call("wire", PAY))


class Dispatcher:
    """The other process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, run: Run) -> None:
        """Let it advance the run."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{run.pk}\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        """What it says next; fails when it says nothing for long, or has ended."""
        said: list[str] = []
        assert self._process.stdout is not None
        reader = threading.Thread(target=lambda: said.append(self._process.stdout.readline()))  # type: ignore[union-attr]
        reader.start()
        reader.join(SECONDS)
        assert any(said), "the dispatcher has ended, or hangs"
        return said[0].strip()


@contextmanager
def dispatching(process: TestProcess, model: ModelServer, path: str) -> Iterator[Dispatcher]:
    """A worker process on the test's database."""
    environment = product_environment(
        **process.settings(),
        DJANGO_SETTINGS_MODULE="countersign.settings",
        OPENAI_BASE_URL=model.url,
        OPENAI_API_KEY="test",
        OPENAI_MODEL="scripted",
    )
    command = [sys.executable, "-m", "tests.faults.dispatcher", path]
    started = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        dispatcher = Dispatcher(started)
        assert dispatcher.answer() == READY
        yield dispatcher
    finally:
        assert started.stdin is not None
        started.stdin.close()
        started.wait(SECONDS)
        assert started.stdout is not None
        started.stdout.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("global", "plain"),
        ("agent_tool", "plain"),
        ("agent", "ordinary"),
        ("tool", "ordinary"),
    ],
)
def test_once_setting_a_switch_has_returned_nothing_that_it_holds_is_dispatched(
    test_process: TestProcess,
    finance: ReviewGroup,
    operator: User,
    reviewer: User,
    model: ModelServer,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    scope: str,
    path: str,
) -> None:
    bank = Bank()
    host(teller(bank))
    counter = Counter(operator, model, django_capture_on_commit_callbacks)
    pause = threading.Event()
    edge, ran = Edge(0.01, finest=STEP_SECONDS), 0
    with dispatching(test_process, model, path) as dispatcher:
        for _ in range(ROUNDS):
            run = counter.start(reply)
            counter.decide(counter.request(run), "approve", reviewer)  # type: ignore[arg-type]
            # A worker that is faster than the switch even so is told after the switch has begun.
            told = threading.Timer(max(0.0, -edge.lead), dispatcher.tell, [run])
            told.start()
            pause.wait(max(0.0, edge.lead))
            switch = switched_off(scope)
            sent = EffectRecord.objects.filter(run=run).count()
            state = dispatcher.answer()
            assert EffectRecord.objects.filter(run=run).count() == sent, "dispatched under a switch"
            check(run, state, sent)
            lift_switch(switch_id=switch.pk, reason="It is over.", caller=TEST)
            if state != "succeeded":
                dispatcher.tell(run)
                assert dispatcher.answer() == "succeeded"
            assert EffectRecord.objects.get(run=run).state == "succeeded"
            ran += sent
            edge.after(bool(sent))
    registry.unregister("teller")
    assert 0 < ran < ROUNDS
    assert Event.objects.filter(type="effect.dispatched").count() == ROUNDS
    assert not KillSwitch.objects.active().exists()
    assert bank.sent == []


def switched_off(scope: str) -> KillSwitch:
    """Set a switch that holds the call, and wait for nothing after that."""
    return set_switch(
        scope=SwitchScope(scope),
        agent="teller" if scope in ("agent", "agent_tool") else "",
        tool="wire" if scope in ("agent_tool", "tool") else "",
        reason="Incident.",
        caller=TEST,
    )


def check(run: Run, state: str, sent: int) -> None:
    """The approval is spent with the call, or kept whole while it is held."""
    request = ApprovalRequest.objects.get(run_id=run.pk)
    assert request.state == ("consumed" if sent else "approved")
    if not sent:
        assert state in ("ready", "waiting")
