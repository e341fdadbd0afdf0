"""Live and ready: what is missing is named."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client, override_settings
from redis import Redis

from countersign import health
from countersign.liveness import ROOT, forget_scheduler, show_scheduler

ALIVE = [f"{ROOT}:worker:{queue}:test" for queue in ("resumes", "runs", "background")]


@pytest.fixture
def everything(db: None, redis_client: Redis) -> Redis:
    """Workers and a scheduler have shown themselves."""
    for key in ALIVE:
        redis_client.set(key, "1", ex=60)
    show_scheduler(redis_client, "test")
    return redis_client


def ask(**headers: str) -> Any:
    return Client().get("/health/ready", headers=headers)


def test_live_asks_nobody() -> None:
    # Without the db fixture, any question to the database would be refused.
    answer = Client().get("/health/live", headers={"Cookie": "sessionid=somebody"})
    assert (answer.status_code, answer.content) == (200, b"live\n")


def test_ready_when_everything_is_there(everything: Redis) -> None:
    answer = ask()
    assert answer.status_code == 200, answer.json()
    assert answer.json()["missing"] == []
    assert answer.json()["notes"] == []


@pytest.mark.parametrize("queue", ["resumes", "runs", "background"])
def test_a_queue_without_a_worker_is_named(everything: Redis, queue: str) -> None:
    everything.delete(f"{ROOT}:worker:{queue}:test")
    answer = ask()
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["workers"]
    [workers] = [check for check in answer.json()["checks"] if check["name"] == "workers"]
    assert f"for: {queue}." in workers["sentence"]


def test_a_scheduler_that_is_gone_is_missed(everything: Redis) -> None:
    forget_scheduler(everything, "test")
    assert ask().json()["missing"] == ["scheduler"]


def test_a_sign_of_life_fades(everything: Redis) -> None:
    left = everything.pttl(f"{ROOT}:scheduler:test")
    assert 0 < left <= settings.COUNTERSIGN.sign_of_life_seconds * 1000


@pytest.mark.django_db(databases=["default", "owner"])
def test_a_migration_that_is_not_applied_is_missed(
    everything: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        health.MigrationExecutor, "migration_plan", lambda *_args: [("audit.9999", False)]
    )
    answer = ask()
    assert answer.json()["missing"] == ["migrations"]
    assert "manage.py migrate" in answer.content.decode()


def test_a_database_that_is_away_is_named_also_to_who_is_signed_in(
    everything: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object) -> None:
        raise OperationalError("connection refused by 10.0.0.5, password secret")

    with monkeypatch.context() as broken:
        broken.setattr(health.connection, "cursor", away)
        answer = ask(Cookie="sessionid=somebody")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["database"]
    assert "secret" not in answer.content.decode()


def test_a_redis_that_is_away_is_named(db: None) -> None:
    nowhere = settings.COUNTERSIGN.model_copy(update={"redis_url": "unix:///nonexistent.sock"})
    with override_settings(COUNTERSIGN=nowhere):
        answer = ask()
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["redis"]


def test_a_browser_gets_a_page(everything: Redis) -> None:
    answer = ask(Accept="text/html")
    assert answer["Content-Type"].startswith("text/html")
    assert "<h1>Ready</h1>" in answer.content.decode()
    assert "Content-Security-Policy" in answer


def test_missing_protection_is_a_note_and_no_reason_to_be_down(
    everything: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "missing_protection", lambda: ["One login for everything."])
    answer = ask()
    assert answer.status_code == 200
    assert answer.json()["notes"] == ["One login for everything."]


def test_fault_points_are_noted_for_as_long_as_they_are_on(everything: Redis) -> None:
    on = settings.COUNTERSIGN.model_copy(update={"fault_points": Path("/tmp/points")})
    with override_settings(COUNTERSIGN=on):
        (note,) = ask().json()["notes"]
    assert note.startswith("Fault points are on")
