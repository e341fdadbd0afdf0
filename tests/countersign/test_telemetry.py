"""Which spans are collected, and where they go: by the standard environment variables."""

from __future__ import annotations

import pytest

from agents.kill_switches import new_id
from countersign.checks import spans_are_spoken
from countersign.otlp_environment import is_wanted
from countersign.telemetry import sampler

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, False),
        ({ENDPOINT: "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_spans_are_off_unless_a_receiver_is_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], wanted: bool
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert is_wanted() is wanted


def test_a_protocol_that_is_not_spoken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spans_are_spoken(None) == []
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    (warning,) = spans_are_spoken(None)
    assert "http/protobuf" in warning.msg


@pytest.mark.parametrize(
    ("name", "share", "least", "most"),
    [
        ("", "", 1.0, 1.0),
        ("parentbased_traceidratio", "0.3", 0.2, 0.4),
        ("traceidratio", "0.3", 0.2, 0.4),
        ("traceidratio", "a third", 1.0, 1.0),
        ("always_off", "", 0.0, 0.0),
    ],
)
def test_a_share_of_all_runs_is_a_share_though_their_ids_begin_with_the_time(
    monkeypatch: pytest.MonkeyPatch, name: str, share: str, least: float, most: float
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", name)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    runs = [new_id() for _ in range(2_000)]

    def taken() -> list[bool]:
        by = sampler()
        return [by.should_sample(None, run.int, "").decision.is_sampled() for run in runs]

    first = taken()
    assert least <= sum(first) / len(runs) <= most
    assert taken() == first, "every process keeps and drops the same"
