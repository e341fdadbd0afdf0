"""A wake-up is a job whose id says everything; and where none comes, runs are found in PostgreSQL."""

from __future__ import annotations

import socket
from uuid import UUID

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

from accounts.models import User
from agents.models import Step
from agents.queues import RESUMES, wake_id, woken_by
from agents.worker import AdvancingWorker
from agents.worker_loop import stopping
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_effects import PAY
from tests.harness.silent import SilentServer
from tests.model_server import call, calls, final

RUN = UUID("01a1fb8b-7828-7d6a-a668-8559b5de40b2")


def test_the_id_of_a_wake_up_names_its_run() -> None:
    assert woken_by(wake_id(RUN, 17)) == (RUN, 17)


@pytest.mark.parametrize(
    "job", [f"export-{RUN}", f"run-{RUN}", f"run-{RUN}-", f"run-{RUN}-1x", "run-1-1", "", f"x{RUN}"]
)
def test_no_other_job_is_taken_for_a_wake_up(job: str) -> None:
    assert woken_by(job) is None


def test_without_redis_a_run_that_cannot_be_advanced_does_not_end_the_worker(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous, following = (
        counter.start([calls(call("wire", PAY)), final(summary="ok")]) for _ in range(2)
    )
    counter.decide(counter.request(poisonous), Verdict.APPROVE, reviewer)
    Step.objects.filter(run=poisonous, name="wire").update(resolution={})
    counter.decide(counter.request(following), Verdict.APPROVE, reviewer)
    monkeypatch.setattr(stopping, "asked", False)
    # The connection of this test holds its transaction.
    monkeypatch.setattr("agents.worker.close_old_connections", lambda: None)
    bank.trouble = lambda: setattr(stopping, "asked", True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = Redis(port=taken.getsockname()[1], socket_connect_timeout=1)
        queue = Queue(RESUMES, connection=nobody)
        AdvancingWorker([queue], connection=nobody, prepare_for_work=False)._work_without_redis()
    assert len(bank.sent) == 1


def test_runs_go_on_while_redis_is_silent_without_waiting_for_it_before_each(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        run = counter.start([calls(call("wire", PAY)), final(summary="ok")])
        counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    monkeypatch.setattr(stopping, "asked", False)
    monkeypatch.setattr("agents.worker.WITHOUT_SECONDS", 3600.0)
    # The connection of this test holds its transaction.
    monkeypatch.setattr("agents.worker.close_old_connections", lambda: None)
    bank.trouble = lambda: setattr(stopping, "asked", len(bank.sent) >= 2)
    server = SilentServer()
    nobody = Redis(port=server.port, socket_timeout=0.05, retry=Retry(NoBackoff(), 0))
    try:
        queue = Queue(RESUMES, connection=nobody)
        AdvancingWorker([queue], connection=nobody, prepare_for_work=False)._work_without_redis()
    finally:
        nobody.close()
        server.close()
    assert len(bank.sent) == 2
    assert server.connections == 1
