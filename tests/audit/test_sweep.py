"""What the scheduler calls."""

import pytest

from audit.services import sweep as module
from audit.services.sweep import sweep


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "_done_at", {})
    return clock


def test_each_task_is_done_at_its_own_pace(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    tasks = {lambda: done.append("often"): 10.0, lambda: done.append("seldom"): 3600.0}
    monkeypatch.setattr(module, "_EVERY_SECONDS", tasks)
    for moment in (0, 5, 10, 11, 3600):
        clock.now = 1000.0 + moment
        sweep()
    assert done == ["often", "seldom", "often", "often", "seldom"]


def test_one_failing_task_does_not_keep_the_other_from_its_work(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError

    tasks = {fail: 10.0, lambda: done.append("done"): 10.0}
    monkeypatch.setattr(module, "_EVERY_SECONDS", tasks)
    sweep()
    sweep()
    assert done == ["done"]


@pytest.mark.django_db(transaction=True)
def test_partitions_exports_and_the_log_are_what_is_swept(clock: Clock) -> None:
    sweep()
    assert {task.__name__ for task in module._done_at} == {
        "resume_exports",
        "resume_verifications",
        "tidy_exports",
        "make_partitions",
        "announce_log",
        "post_checkpoint",
    }
