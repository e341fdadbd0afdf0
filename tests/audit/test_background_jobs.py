"""Jobs of the background stand in the trace, and under the ids, of whoever put them there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from opentelemetry.trace import format_trace_id
from redis import Redis
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from structlog.contextvars import bind_contextvars, get_contextvars

from audit import log_ids, tracing
from audit.background_jobs import BACKGROUND, CAUSE, put
from tests.harness.background import work
from tests.harness.collecting import collected

RUN = UUID("01a200c1-537d-7920-b05f-3ad48ef39b8d")
seen: list[dict[str, Any]] = []


def look(*_arguments: str, **_later: Any) -> None:
    """A job: what its lines would say; and it binds what it likes."""
    seen.append(dict(get_contextvars()))
    bind_contextvars(customer="somebody")


JOB = f"{__name__}.look"


@pytest.fixture(autouse=True)
def nothing_seen(redis_client: Redis) -> None:
    redis_client.flushall()
    seen.clear()


def test_a_job_is_done_in_the_trace_of_its_cause_and_under_its_ids() -> None:
    with collected() as spans:
        with log_ids.only(request_id="a-request", socket="no-business-of-the-job"):
            with tracing.span("cause", run=RUN):
                put(JOB, "an-id", run=RUN)
            put(JOB, once="a-job")
            put(JOB, once="a-job")
        # A sweep finds what was lost, with nothing around it.
        put(JOB, run=RUN)
        work()
    (cause,) = spans.named("cause")
    sent = spans.named(f"send {BACKGROUND}")
    done = spans.named(f"process {BACKGROUND}")
    assert [span.parent.span_id for span in done if span.parent] == [
        span.context.span_id for span in sent
    ]
    assert sent[0].parent is not None
    assert sent[0].parent.span_id == cause.context.span_id
    traces = [format_trace_id(span.context.trace_id) for span in done]
    assert (traces[0], traces[2]) == (RUN.hex, RUN.hex)
    assert traces[1] != RUN.hex
    assert {span.attributes["countersign.job"] for span in done if span.attributes} == {JOB}
    first, second, third = seen
    assert {**first, "job": ""} == {"job": "", "run": str(RUN), "request_id": "a-request"}
    assert second == {"job": "a-job", "request_id": "a-request"}
    assert {**third, "job": ""} == {"job": "", "run": str(RUN)}
    assert "customer" not in get_contextvars()


@pytest.mark.parametrize(
    "meta",
    [
        {"another": "thing"},
        {CAUSE: "x"},
        {CAUSE: {"traceparent": 7, "run": None}},
        {CAUSE: {"traceparent": "00-0-0-0"}},
    ],
)
def test_a_job_of_another_version_is_done_all_the_same(
    redis_client: Redis, meta: dict[str, Any]
) -> None:
    with collected() as spans:
        put(JOB, once="older")
        job = Job.fetch("older", connection=redis_client, serializer=JSONSerializer)
        job.meta = meta
        job.save()
        work()
    assert seen == [{"job": "older"}]
    (done,) = spans.named(f"process {BACKGROUND}")
    assert done.parent is None


def test_a_job_that_cannot_be_read_is_kept_among_those_that_failed_and_stops_no_other(
    redis_client: Redis,
) -> None:
    put(JOB, once="broken")
    redis_client.hset("rq:job:broken", "data", b"no JSON")
    put(JOB, once="well")
    assert work() == 2
    assert seen == [{"job": "well"}]
    failed = FailedJobRegistry(BACKGROUND, connection=redis_client, serializer=JSONSerializer)
    assert failed.get_job_ids() == ["broken"]


def test_without_anybody_who_collects_lines_carry_the_ids() -> None:
    with log_ids.only(run=str(RUN)):
        put(JOB, once="one")
    work()
    assert seen == [{"job": "one", "run": str(RUN)}]
