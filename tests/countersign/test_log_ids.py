"""Log lines carry the ids of the work that caused them, and of no other."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from asgiref.testing import ApplicationCommunicator
from redis import Redis
from rq import Queue
from structlog.contextvars import bind_contextvars, get_contextvars

from accounts.models import User
from agents.models import Run
from agents.queues import RESUMES, wake_id
from agents.worker import AdvancingWorker, WakeUp
from approvals.hub import Hub
from approvals.mailbox import Mailbox
from approvals.vocabulary import Verdict
from countersign.asgi import application
from countersign.logs import logging_settings
from tests.agents.bank import Bank
from tests.agents.conftest import Counter, bank, bystander, counter, model  # noqa: F401
from tests.harness.collecting import collected
from tests.model_server import call, calls, final, judged

PAYS = judged({"account": "DE-4711", "amount": "9.00"})
log = structlog.get_logger("tests.log_ids")
librarys = logging.getLogger("tests.library")


@pytest.fixture
def lines() -> Iterator[Any]:
    """`lines(event)`: what was logged so, as it stands in the process's log."""
    out = io.StringIO()
    wanted = dict(logging_settings("INFO")["formatters"]["json"])
    del wanted["()"]
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**wanted))
    logging.getLogger().addHandler(handler)

    def read(event: str) -> list[dict[str, Any]]:
        found = map(json.loads, out.getvalue().splitlines())
        return [line for line in found if line["event"] == event]

    yield read
    logging.getLogger().removeHandler(handler)


def test_nothing_leaks_from_one_job_to_the_next(
    counter: Counter,  # noqa: F811
    bank: Bank,  # noqa: F811
    reviewer: User,
    redis_client: Redis,
    lines: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = []
    for _ in range(2):
        runs.append(counter.start([calls(call("book", PAYS)), final(summary="ok")]))
        counter.decide(counter.request(runs[-1]), Verdict.APPROVE, reviewer)

    def speak() -> None:
        # A transactional tool works on the worker's own thread, and binds what it likes there.
        librarys.warning("paying")
        bind_contextvars(customer="somebody")
        log.warning("paid")

    bank.trouble = speak
    counter.model.follow([final(summary="ok")] * 2)
    # The connection of this test holds its transaction; each run is to be taken by a job of its own.
    monkeypatch.setattr("agents.worker.close_old_connections", lambda: None)
    monkeypatch.setattr("agents.worker.close_lost_connections", lambda: None)
    monkeypatch.setattr("agents.worker_loop.next_ready_run", lambda: None)
    queue = Queue(RESUMES, connection=redis_client)
    worker = AdvancingWorker([queue], connection=redis_client, prepare_for_work=False)
    for run in runs:
        wake = WakeUp(wake_id(run.pk, 1), run.pk, 1)
        worker.execute_job(wake, queue)
        log.warning("between")
    assert [Run.objects.get(pk=run.pk).state for run in runs] == ["succeeded"] * 2
    for told in (lines("paying"), lines("paid")):
        ids = [{name: line.get(name) for name in ("job", "run", "trace", "step")} for line in told]
        assert ids == [
            {"job": wake_id(run.pk, 1), "run": str(run.pk), "trace": run.pk.hex, "step": 2}
            for run in runs
        ]
    assert [line.get("customer") for line in lines("paying")] == [None, None]
    for line in lines("between"):
        assert not {"job", "run", "trace", "step", "customer"} & line.keys()


async def asked(**headers: str) -> str:
    """Ask the web process's application for what is not there; the id that its answer names."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/nowhere/",
        "query_string": b"",
        "headers": [
            (name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()
        ]
        + [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    talk = ApplicationCommunicator(application, scope)
    await talk.send_input({"type": "http.request"})
    started = await talk.receive_output(60)
    await talk.wait()
    return str(dict(started["headers"])[b"X-Request-ID"].decode())


@pytest.mark.django_db
async def test_lines_of_a_request_carry_its_id_which_its_answer_names(lines: Any) -> None:
    proxys = "edge-0123456789"
    names = [
        await asked(),
        await asked(x_request_id=proxys),
        await asked(x_request_id='a b"c' * 9),
    ]
    assert names[1] == proxys
    assert len(set(names)) == 3
    assert [line["request_id"] for line in lines("Not Found: /nowhere/")] == names
    log.warning("afterwards")
    assert "request_id" not in lines("afterwards")[0]


@pytest.mark.django_db
async def test_where_spans_are_collected_lines_carry_the_trace_of_their_request(lines: Any) -> None:
    inbound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with collected() as spans:
        await asked(traceparent=inbound)
        await asked(traceparent="00-ff")
    first, second = spans.spans()
    assert [f"{span.context.trace_id:032x}" for span in (first, second)] == [
        line["trace"] for line in lines("Not Found: /nowhere/")
    ]
    (link,) = first.links
    assert f"{link.context.trace_id:032x}" == inbound.split("-")[1]
    assert first.context.trace_id != link.context.trace_id
    assert not second.links


async def test_what_listens_for_all_sockets_carries_the_id_of_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[dict[str, Any]] = []

    async def listen(_hub: Hub) -> None:
        seen.append(dict(get_contextvars()))

    monkeypatch.setattr(Hub, "_listen", listen)
    with structlog.contextvars.bound_contextvars(socket="abcd"):
        hub = Hub("redis://127.0.0.1:1")
        hub.join(Mailbox(), ["everybody"])
        assert hub._listening is not None
        await hub._listening
    assert seen == [{}]
