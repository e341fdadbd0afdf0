"""`/metrics`: who may read it, what it costs, and that dashboards and alerts name what it tells."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings
from redis import Redis

from accounts.models import User
from agents.counted import MODEL_TOKENS, WAKES
from agents.queues import RUNS, wake
from approvals.vocabulary import Verdict
from audit import counts
from countersign import metrics
from countersign.config import Config
from countersign.metrics import standing
from countersign.programs import PROJECT
from tests.agents.conftest import Counter, bank, bystander, counter, model  # noqa: F401
from tests.harness.environment import TestProcess
from tests.model_server import call, calls, final, judged

PAYS = judged({"account": "DE-4711", "amount": "9.00"})
TOKEN = "a-token-of-the-scraper"
OBSERVABILITY = PROJECT / "deploy" / "observability"
#: What dashboards of operators have read since before there was more.
PROMISED = {
    "countersign_runs",
    "countersign_requests",
    "countersign_audit_sealed_events",
    "countersign_audit_unsealed_events",
    "countersign_audit_seal_lag_seconds",
    "countersign_audit_sealing_halted",
}


@pytest.fixture(autouse=True)
def afresh(redis_client: Redis) -> Iterator[None]:
    standing.ended_runs.forget()
    standing.decided_requests.forget()
    counts.send_counts()
    redis_client.flushall()
    yield
    standing.ended_runs.forget()
    standing.decided_requests.forget()


def told() -> dict[str, Metric]:
    """Every figure by the name of its samples' family, as it is now."""
    metrics.told.forget()
    answer = Client().get("/metrics")
    assert answer.status_code == 200, answer.content
    return {
        family.name: family for family in text_string_to_metric_families(answer.content.decode())
    }


def samples(family: Metric) -> dict[tuple[str, ...], float]:
    """By the end of their name and the values of their labels, which stand in the order of the alphabet."""
    return {
        (
            sample.name.removeprefix(family.name),
            *(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("asks", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "10.1.2.3"}, 403),
        ({"REMOTE_ADDR": ""}, 403),
        # A proxy on this machine asks for somebody else.
        ({"headers": {"X-Forwarded-For": "203.0.113.9"}}, 403),
        ({"headers": {"Authorization": f"Bearer {TOKEN}"}, "REMOTE_ADDR": "10.1.2.3"}, 403),
    ],
)
def test_without_a_setting_only_this_machine_reads_figures(
    client: Client, db: None, asks: dict[str, Any], status: int
) -> None:
    answer = client.get("/metrics", **asks)
    assert answer.status_code == status
    if status == 403:
        assert b"COUNTERSIGN_METRICS_NETWORKS" in answer.content
        assert b"countersign_runs" not in answer.content


def test_a_near_proxy_that_is_not_on_this_machine_opens_nothing_either(
    client: Client, db: None, settings: Settings
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"metrics_networks": (ip_network("10.0.0.0/8"),)}
    )
    near = {"REMOTE_ADDR": "10.1.2.3"}
    assert client.get("/metrics", **near).status_code == 200
    names = (
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "Via",
    )
    for name in names:
        answer = client.get("/metrics", **near, headers={name: "203.0.113.9"})
        assert answer.status_code == 403, name


@pytest.mark.parametrize(
    ("given", "address", "status"),
    [
        (f"Bearer {TOKEN}", "203.0.113.9", 200),
        (f"Bearer {TOKEN}x", "203.0.113.9", 401),
        (f"Basic {TOKEN}", "203.0.113.9", 401),
        ("Bearer", "203.0.113.9", 401),
        ("", "203.0.113.9", 401),
        ("", "10.1.2.3", 200),
        ("", "127.0.0.1", 401),
    ],
)
def test_a_token_or_a_network_of_the_settings_opens_them(
    client: Client,
    db: None,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    address: str,
    status: int,
) -> None:
    monkeypatch.setenv("COUNTERSIGN_METRICS_NETWORKS", "10.0.0.0/8, fd00::/8")
    monkeypatch.setenv("COUNTERSIGN_METRICS_TOKEN", TOKEN)
    read = Config()
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"metrics_token": read.metrics_token, "metrics_networks": read.metrics_networks}
    )
    answer = client.get("/metrics", headers={"Authorization": given}, REMOTE_ADDR=address)
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer) == (status == 401)
    assert TOKEN not in repr(read)


def test_figures_tell_what_happened_and_where_everything_stands(
    counter: Counter,  # noqa: F811
    reviewer: User,
    redis_client: Redis,
) -> None:
    done = counter.start([calls(call("wire", PAYS)), final(summary="Paid.")])
    with counter.captured(execute=True):
        counter.decide(counter.request(done), Verdict.APPROVE, reviewer)
    done = counter.go_on(done)
    counter.start([calls(call("wire", PAYS))])
    wake(done.pk, 7, RUNS)
    figures = told()
    assert figures.keys() >= PROMISED
    assert samples(figures["countersign_runs"]) == {("", "succeeded"): 1, ("", "waiting"): 1}
    (risk_age,) = [
        key for key, number in samples(figures["countersign_pending_requests"]).items() if number
    ]
    assert risk_age == ("", "1m", "high")
    assert samples(figures["countersign_queue_jobs"])["", "runs"] >= 1
    assert samples(figures["countersign_model_tokens"])["_total", "in", "scripted"] > 0
    assert samples(figures["countersign_model_attempt_seconds"])["_count", "scripted"] == 3
    assert samples(figures["countersign_tool_call_seconds"])["_count", "wire"] == 1
    assert samples(figures["countersign_decision_seconds"])["_count", "high", "approve"] == 1
    text = Client().get("/metrics").content.decode()
    for kept in ("DE-4711", "9.00", reviewer.username, str(done.pk)):
        assert kept not in text, kept


def test_figures_take_as_many_statements_however_much_there_is(
    counter: Counter,  # noqa: F811
) -> None:
    told()

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            told()
        return len(captured)

    before = statements()
    for _ in range(3):
        counter.start([calls(call("wire", PAYS))])
    assert statements() == before <= 16


def test_whoever_asks_again_at_once_is_told_the_same(
    counter: Counter,  # noqa: F811
) -> None:
    before = Client().get("/metrics").content
    counter.start([calls(call("wire", PAYS))])
    with CaptureQueriesContext(connection) as captured:
        assert Client().get("/metrics").content == before
    assert len(captured) == 0
    metrics.told.forget()
    assert Client().get("/metrics").content != before


@pytest.mark.parametrize(("takes", "anew_after"), [(0.1, 60), (4, 200), (60, 3_000)])
def test_what_takes_long_to_count_is_counted_as_much_more_rarely(
    takes: float, anew_after: float
) -> None:
    now, counted = 0.0, 0

    def count() -> dict[str, int]:
        nonlocal now, counted
        now, counted = now + takes, counted + 1
        return {"succeeded": counted}

    ended = standing.Lately(count, clock=lambda: now)
    assert ended() == ended() == {"succeeded": 1}
    now += anew_after - 0.1
    assert ended() == {"succeeded": 1}
    now += 0.2
    assert ended() == {"succeeded": 2}


SPEAKS = """
import django; django.setup()
from audit import counts
counts.GONE_SECONDS = 600
from agents.counted import MODEL_TOKENS, MODEL_SECONDS
from approvals.counted import SOCKETS
from audit.counts import send_counts
MODEL_TOKENS.add("big", "in", by=5)
MODEL_SECONDS.add("big", took=0.3)
SOCKETS.asked(lambda: 2)
assert send_counts()
"""


def test_what_several_processes_count_adds_up(db: None, test_process: TestProcess) -> None:
    told_by = [
        subprocess.run(
            (sys.executable, "-c", SPEAKS),
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "countersign.settings"},
            cwd=PROJECT,
            check=False,
            capture_output=True,
            text=True,
        )
        for _ in range(2)
    ]
    assert [each.returncode for each in told_by] == [0, 0], told_by
    MODEL_TOKENS.add("big", "in", by=1)
    figures = told()
    assert samples(figures["countersign_model_tokens"])["_total", "in", "big"] == 11
    assert samples(figures["countersign_sockets"])[("",)] == 4
    took = samples(figures["countersign_model_attempt_seconds"])
    assert [took["_bucket", bound, "big"] for bound in ("0.25", "0.5", "+Inf")] == [0, 2, 2]
    assert took["_sum", "big"] == pytest.approx(0.6)


def test_what_redis_does_not_take_is_kept_and_sent_later(
    db: None, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Redis(port=1) as nobody:
        monkeypatch.setattr(counts, "client", lambda: nobody)
        WAKES.add("runs", "lost", by=2)
        assert not counts.send_counts()
    monkeypatch.undo()
    assert samples(told()["countersign_wakes"])["_total", "lost", "runs"] == 2


def test_labels_are_bounded(db: None, redis_client: Redis) -> None:
    for number in range(2 * counts.MOST_LABELS):
        MODEL_TOKENS.add(f"model-{number}", "in")
    found = samples(told()["countersign_model_tokens"])
    assert len(found) <= counts.MOST_LABELS + 1
    assert found["_total", counts.OTHER, counts.OTHER] > 0


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of the dashboard and of the alert rules, with the file that it stands in."""
    board = json.loads((OBSERVABILITY / "grafana-dashboard.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    rules = yaml.safe_load((OBSERVABILITY / "prometheus-alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        yield rule["alert"], rule["expr"]


def test_dashboards_and_alerts_name_what_is_told(db: None) -> None:
    figures = told()
    names = set(figures)
    for family in figures.values():
        if family.type == "counter":
            names.add(f"{family.name}_total")
        if family.type == "histogram":
            names |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
    # There are sinks and witnesses only where the settings name some.
    names |= {
        "countersign_audit_sink_behind_events",
        "countersign_audit_sink_failing_seconds",
        "countersign_audit_witness_behind_events",
        "countersign_audit_witness_failing",
    }
    used = {name for _, text in expressions() for name in re.findall(r"countersign_\w+", text)}
    assert used <= names, used - names
    alone = {"_sum", "countersign_audit_sealed_events"}
    shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in used}
    assert set(figures) - shown <= alone, "each figure is looked at somewhere"


def test_each_expression_is_one_that_prometheus_reads() -> None:
    for where, text in expressions():
        try:
            promql_parser.parse(text)
        except ValueError as error:
            pytest.fail(f"{where}: {error}")


def test_the_page_of_operators_explains_every_alert() -> None:
    page = Path(PROJECT / "docs" / "observability.md").read_text()
    rules = yaml.safe_load((OBSERVABILITY / "prometheus-alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        assert f"`{rule['alert']}`" in page
