"""Leases: renewed while a step has time, doubted when time went by, and never held for ever."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import InterfaceError
from django.db.models import F
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from accounts.models import User
from agents import leases, worker
from agents.leases import Renewer
from agents.models import EffectRecord, Run
from agents.services.claim import Lease
from agents.worker import AdvancingWorker
from agents.worker_loop import stopping
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_effects import approved

pytestmark = pytest.mark.django_db
LEASE = Lease(run_id=uuid4(), epoch=1, wake_seq=0, owner="test")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, in its only element."""
    now = [1_000.0]
    monkeypatch.setattr("agents.leases.monotonic", lambda: now[0])
    return now


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> list[Lease]:
    """Leases in the order in which they were renewed; all of them are ours."""
    seen: list[Lease] = []

    def renew(lease: Lease) -> bool:
        seen.append(lease)
        return True

    monkeypatch.setattr("agents.leases.renew", renew)
    return seen


def test_a_lease_is_renewed_while_its_step_has_time_and_not_after(
    clock: list[float], renewed: list[Lease]
) -> None:
    renewer = Renewer()
    with renewer.hold(LEASE, since=clock[0]):
        renewer.renew_due()
        with renewer.within(LEASE, 30):
            clock[0] += 30
            renewer.renew_due()
            assert renewed == [LEASE, LEASE]
            clock[0] += 0.1
            renewer.renew_due()
            assert renewed == [LEASE, LEASE]
        renewer.renew_due()
    renewer.renew_due()
    assert renewed == [LEASE] * 3


def test_after_time_without_a_renewal_the_database_is_asked_who_owns_the_run(
    clock: list[float], renewed: list[Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    renewer = Renewer()
    with renewer.hold(LEASE, since=clock[0]):
        assert not renewer.is_lost(LEASE)
        assert renewed == []
        clock[0] += 3_600
        assert not renewer.is_lost(LEASE)
        assert renewed == [LEASE]
        clock[0] += 3_600
        monkeypatch.setattr("agents.leases.renew", lambda lease: False)
        assert renewer.is_lost(LEASE)
        clock[0] -= 3_600
        assert renewer.is_lost(LEASE)


def test_time_that_went_by_between_the_claim_and_the_work_counts(
    clock: list[float], renewed: list[Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    renewer = Renewer()
    monkeypatch.setattr("agents.leases.renew", lambda lease: False)
    with renewer.hold(LEASE, since=clock[0] - 3_600):
        assert renewer.is_lost(LEASE)


def test_a_connection_that_broke_does_not_end_the_renewing(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(lease: Lease) -> bool:
        raise InterfaceError

    monkeypatch.setattr("agents.leases.renew", broken)
    monkeypatch.setattr("agents.leases.connection", type("Closed", (), {"close": lambda self: 0})())
    renewer = Renewer()
    with renewer.hold(LEASE, since=clock[0]):
        renewer.renew_due()


@pytest.mark.parametrize("tool", ["pay", "wire"])
def test_a_worker_that_stood_still_past_its_lease_does_not_send(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    run = approved(counter, reviewer, tool)
    monkeypatch.setattr("agents.effects.call_tool", lambda *args: pytest.fail("it was sent"))
    context = "agents.effects.Effects._context"
    monkeypatch.setattr(context, lambda *_: _frozen(monkeypatch, run))
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("running", [])
    assert EffectRecord.objects.get(run=run).state == "dispatched"


def _frozen(monkeypatch: pytest.MonkeyPatch, run: Run) -> object:
    """So much time goes by that another worker takes the run."""
    later = leases.monotonic() + 2 * settings.COUNTERSIGN.lease_seconds
    monkeypatch.setattr("agents.leases.monotonic", lambda: later)
    Run.objects.filter(pk=run.pk).update(epoch=F("epoch") + 1)
    return None


def test_every_call_of_a_tool_is_held_to_the_time_that_it_declares(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[float | None] = []

    def look() -> None:
        (held,) = leases.renewer._held.values()
        ends.append(held.step_ends)

    bank.trouble = look
    now = leases.monotonic()
    counter.go_on(approved(counter, reviewer, "wire"))
    assert ends[0] is not None
    assert now < ends[0] < now + 600


@pytest.fixture
def rq_worker(redis_client: Redis) -> Iterator[AdvancingWorker]:
    yield AdvancingWorker(["resumes"], connection=redis_client)
    stopping.asked = False


@pytest.fixture
def handlers() -> Iterator[None]:
    """Signal handlers as they were."""
    kept = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in kept:
        signal.signal(number, handler)


def test_a_stop_while_a_run_is_advanced_without_redis_waits_for_its_safe_point(
    rq_worker: AdvancingWorker, handlers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []

    def advance(run_id: object, *, owner: str, stopping: Callable[[], bool]) -> bool:
        rq_worker.request_stop(signal.SIGTERM, None)
        told.append(stopping())
        return True

    monkeypatch.setattr(worker, "advance", advance)
    monkeypatch.setattr(worker, "next_ready_run", uuid4)
    assert rq_worker._advance_next()
    assert told == [True]


def test_a_stop_while_redis_is_away_does_not_raise_in_the_middle_of_a_job(
    rq_worker: AdvancingWorker, handlers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **more: object) -> None:
        raise RedisAway

    rq_worker.set_state("busy")
    monkeypatch.setattr(rq_worker.connection, "hset", away)
    rq_worker.request_stop(signal.SIGTERM, None)
    assert stopping()
    assert rq_worker._stop_requested
