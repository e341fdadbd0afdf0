"""One trace follows a run: over the API, through the queue, workers, people and processes that die.

A real receiver takes the spans; they come from the real processes of the product.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from agents.models import Run
from agents.registry import get
from audit.tracing import derived
from tests.faults.test_kills import refund_script
from tests.harness.client import ApiClient
from tests.harness.receiver import Received, Receiver
from tests.harness.stack import Stack
from tests.model_server import Answer, ModelServer, call, calls, judged

Prepare = Callable[..., Stack]
#: Of whoever asks; nothing here may take its ids over.
INBOUND = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path)
    yield made
    made.close()


def ticket() -> Any:
    """The demo's first example: one refund that one of Finance decides."""
    return get("refund-desk").examples[0].input


def state_of(run: str) -> str:
    return str(Run.objects.values_list("state", flat=True).get(pk=run))


def trace_of(run: str) -> str:
    return run.replace("-", "")


def named(spans: list[Received], name: str) -> list[Received]:
    return sorted((span for span in spans if span.name == name), key=lambda span: span.start)


def known(run: str, what: str, number: int) -> str:
    return f"{derived(UUID(run), what, number):016x}"


def test_one_trace_follows_a_run_from_the_request_to_its_end(
    stack: Prepare, receiver: Receiver, operator: User, reviewer: User, auditor: User
) -> None:
    site = stack(**receiver.environment, log_level="INFO").run()
    client = ApiClient(site, operator)
    client.headers["traceparent"] = INBOUND
    run = client.start("refund-desk", ticket())
    site.wait_for(lambda: state_of(run) == "waiting", what="the run is parked")
    # What is decided before that is not mailed about.
    site.wait_for(lambda: lines_of(site, "background", run), what="people were mailed")
    person = ApiClient(site, reviewer)
    (request,) = person.pending()
    assert person.decide(request, "approve")[0] == 200
    site.wait_for(lambda: state_of(run) == "succeeded", 40, "the run has succeeded")
    from_the_id_alone(ApiClient(site, auditor), site, trace_of(run))
    # What is left to be sent goes out when a process is asked to end.
    for name in ("web", "runs", "resumes", "background", "scheduler"):
        site.kill(name, signal.SIGTERM)
    spans = [span for span in receiver.spans() if span.trace == trace_of(run)]
    by_id = {span.id: span for span in spans}
    assert len(by_id) == len(spans), "no span came twice"

    # The request from outside belongs to the run that it started, and links to who asked.
    (posted,) = named(spans, "POST /api/v1/runs")
    assert (posted.parent, posted.kind) == ("", "server")
    assert posted.links == [tuple(INBOUND.split("-")[1:3])]
    assert posted.resource["countersign.process"] == "web"
    (started,) = named(spans, "start_run refund-desk")
    assert started.parent == posted.id
    # Through the queue to a worker in another process, whose span stands behind the sending.
    (sent,) = named(spans, "send runs")
    assert (sent.id, sent.parent, sent.kind) == (known(run, "wake", 0), posted.id, "producer")
    first, second = named(spans, "invoke_agent refund-desk")
    taken = by_id[first.parent]
    assert (taken.parent, taken.kind) == (sent.id, "consumer")
    assert taken.resource["service.instance.id"] != posted.resource["service.instance.id"]
    # It parks; the decision is made in the web process, in the same trace; the wait is short and says how long.
    (decided,) = named(spans, "POST /api/v1/approvals/<uuidstr:request_id>/decisions")
    (decide,) = named(spans, "decide")
    assert decide.parent == decided.id
    (waited,) = named(spans, "wait")
    assert waited.links == [(trace_of(run), first.id)]
    assert waited.attributes["countersign.wait.seconds"] > 0
    assert waited.end - waited.start < 1_000_000_000
    # The mail that asked for it may have been about other runs, too: it is linked to the job that sent it.
    (mailed,) = named(spans, "mail reviewers")
    assert mailed.links
    here, there = (span.resource["service.instance.id"] for span in (taken, mailed))
    assert here != there
    # The second stretch is linked to the first and stands behind the decision.
    assert second.links[0] == (trace_of(run), first.id)
    assert by_id[by_id[second.parent].parent].parent == decided.id
    assert first.end < decided.start < second.start
    assert "run.ended" in [name for span in spans for name in span.events]
    # Each thing that was done within its stretch, in the words of the conventions.
    (pays,) = named(spans, "execute_tool issue_refund")
    assert ancestors(pays, by_id)[0].name == "step tool"
    assert second in ancestors(pays, by_id)
    chats = [span for span in spans if span.attributes.get("gen_ai.operation.name") == "chat"]
    assert chats
    for chat in chats:
        assert chat.kind == "client"
        assert chat.attributes["gen_ai.usage.input_tokens"] > 0
        assert chat.attributes["gen_ai.response.finish_reasons"]
    (gate,) = named(spans, "gate issue_refund")
    assert gate.attributes["countersign.gate.outcome"] == "review"
    assert all(
        not name.endswith((".messages", ".arguments", ".result"))
        for span in spans
        for name in span.attributes
    )


def lines_of(site: Stack, process: str, run: str) -> list[dict[str, Any]]:
    """What the process's log says of the mails of a run, found by the trace's id alone."""
    text = (site.folder / "log" / f"{process}.log").read_text()
    lines = [json.loads(line) for line in text.splitlines() if trace_of(run) in line]
    return [line for line in lines if line["event"] == "letters_sent"]


def from_the_id_alone(auditor: ApiClient, site: Stack, trace: str) -> None:
    """What somebody finds who was given nothing but the id that spans bear."""
    run = auditor.get(f"runs/{UUID(trace)}")
    assert run["state"] == "succeeded"
    events = auditor.get(f"audit/events?run={trace}")["items"]
    assert {event["body"]["type"] for event in events} >= {
        "run.started",
        "request.opened",
        "request.decided",
        "effect.succeeded",
        "run.ended",
    }
    (mailed,) = lines_of(site, "background", run["id"])
    assert (mailed["trace"], mailed["run"]) == (trace, run["id"])
    assert mailed["letters"] > 0
    assert mailed["job"]


def ancestors(span: Received, by_id: dict[str, Received]) -> list[Received]:
    """The spans around it, the nearest first."""
    found = []
    while span.parent in by_id:
        span = by_id[span.parent]
        found.append(span)
    return found


def test_a_stretch_whose_worker_was_killed_stands_in_the_trace_and_the_next_is_linked_to_it(
    stack: Prepare, receiver: Receiver, operator: User, reviewer: User
) -> None:
    thinking = threading.Event()
    model = ModelServer([*looks_first(), Answer(hold=thinking), *refund_script()])
    site = stack(
        openai_base_url=model.url,
        openai_api_key="test",
        openai_model="scripted",
        lease_seconds=1,
        **receiver.environment,
    ).run()
    run = ApiClient(site, operator).start("refund-desk", ticket())

    def arrived(name: str) -> list[Received]:
        return named([span for span in receiver.spans() if span.trace == trace_of(run)], name)

    # Spans around others are sent after them: what the worker had sent is seen by the outer one.
    site.wait_for(lambda: arrived("step tool"), what="the step's span is there")
    (looked,) = arrived("execute_tool look_up_order")
    site.wait_for(lambda: len(model.requests) == 2, what="the model was asked again")
    site.kill("runs")
    site.start("runs")
    thinking.set()
    site.wait_for(lambda: state_of(run) == "waiting", 40, "the run is parked")
    person = ApiClient(site, reviewer)
    (request,) = person.pending()
    assert person.decide(request, "approve")[0] == 200
    site.wait_for(lambda: state_of(run) == "succeeded", 40, "the run has succeeded")
    stretches = site.wait_for(
        lambda: found if len(found := arrived("invoke_agent refund-desk")) == 3 else None,
        what="each stretch has arrived",
    )
    lost, second, third = stretches
    assert (lost.id, lost.failed) == (known(run, "stretch", 1), True)
    assert lost.attributes["error.type"] == "lease_expired"
    assert lost.resource["countersign.process"] == "scheduler"
    assert lost.start <= looked.start < lost.end
    # What the dead worker had done stands within it.
    (within,) = [span for span in arrived("step tool") if span.id == looked.parent]
    assert within.parent == lost.id
    assert [span.links[0][1] for span in (second, third)] == [lost.id, second.id]
    model.close()


def test_a_receiver_that_hangs_keeps_nobody_from_work_and_nobody_from_ending(
    stack: Prepare, tmp_path: Path, operator: User, reviewer: User
) -> None:
    hanging = Receiver(tmp_path, "hang")
    small = {"OTEL_BSP_MAX_QUEUE_SIZE": "4", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2"}
    site = stack(**hanging.environment, **small, OTEL_EXPORTER_OTLP_TIMEOUT="60").run()
    run = ApiClient(site, operator).start("refund-desk", ticket())
    site.wait_for(lambda: state_of(run) == "waiting", what="the run is parked")
    person = ApiClient(site, reviewer)
    (request,) = person.pending()
    assert person.decide(request, "approve")[0] == 200
    site.wait_for(lambda: state_of(run) == "succeeded", 40, "the run has succeeded")
    # Each ends by itself within its time, though its last spans are taken by nobody, and says so.
    for name in ("web", "resumes"):
        site.kill(name, signal.SIGTERM)
        assert "spans_lost" in (site.folder / "log" / f"{name}.log").read_text()
    hanging.close()


def looks_first() -> list[Answer]:
    """A model that looks the order up."""
    return [calls(call("look_up_order", judged({"order": "ORD-10001"})))]
