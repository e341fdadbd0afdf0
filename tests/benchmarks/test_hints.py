"""The benchmark of hints at the size of a hamlet: everything it measures is measured."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from benchmarks import hints
from benchmarks.house import House
from tests.harness.stack import Stack

HAMLET = hints.Size(sockets=4, few=2, requests=2, rows=2, decisions=2, silent=1, flood=1_000)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a house of this size to settle."""
    for name in ("PAUSE_SECONDS", "SETTLE_SECONDS", "EVERY_SECONDS"):
        monkeypatch.setattr(hints, name, 0.05)


def test_every_figure_is_there_for_a_few_browsers_and_beside_both_peers(
    stack: Callable[..., Stack],
    at_once: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = stack(seeded=False).run("web")
    site.wait_for(lambda: "web" not in site.missing(), 60, "the web process answers")
    redis_url = site.environment()["REDIS_URL"]
    monkeypatch.setenv("REDIS_URL", redis_url)
    house = House.of(HAMLET.sockets)

    figures: dict[str, Any] = {}
    note = hints.noting(figures)

    async def measured() -> None:
        await hints.measure(site.url, site.running["web"].pid, house, HAMLET, note)
        await hints.peers(redis_url, HAMLET, note)

    asyncio.run(measured())
    with warnings.catch_warnings():
        # Clients that never read are dropped as they are; that is not to be told in another test's time.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    rows = [line.split()[0] for line in hints.lines(figures)]
    assert rows.count("hint,") == 4
    assert rows.count("row") == 2
    assert rows.count("decision,") == 5
    assert figures["row on 4 screens"]["n"] == 8
    assert figures["silent"]["after_mb"] > 0
    # Told as they come, and at the end.
    told = capsys.readouterr().err
    assert all(name in told for name in figures if name != "silent")


async def test_what_there_is_no_time_for_is_given_up_and_said() -> None:
    async def quick() -> None: ...

    async def slow() -> None:
        await asyncio.Event().wait()

    async def stuck() -> None:
        raise TimeoutError("a server does not answer")

    assert await hints.until_then(monotonic() + 60, quick())
    assert not await hints.until_then(monotonic() + 0.05, slow())
    with pytest.raises(TimeoutError, match="does not answer"):
        await hints.until_then(monotonic() + 60, stuck())
