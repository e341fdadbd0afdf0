"""Five hundred browsers on one web process: when they hear of a new request, and when its row is on their screens.

`python -m benchmarks.hints` starts PostgreSQL, Redis and one web process, signs in as many reviewers, and measures

- commit of a request → hint at every socket; in the same run the stock Channels layer (`group_send` over the pub/sub
  layer of channels_redis) and a bare fan-out of one Redis subscription, each in a web process of its own, with the
  same clients;
- commit → the row, fetched with authorisation by each page in its turn (`benchmarks.screens`);
- a decision over the API by itself, with every page open, and while requests keep coming in;
- sockets that never read: the memory of the web process, and the hints of the others meanwhile.

Each figure is told on stderr when it is there. What `--seconds` leaves no time for is left out, and named at the end.
JSON goes to `benchmarks/results/`.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import django
import orjson
import psutil
from asgiref.sync import sync_to_async
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis import Redis

from approvals.pacing import within
from benchmarks import product
from benchmarks.figures import summary
from benchmarks.listening import Crowd, Listener
from benchmarks.processes import usage
from benchmarks.screens import REST_TIMES, Screens
from benchmarks.waiting import until
from countersign.programs import PROJECT

if TYPE_CHECKING:
    from benchmarks.house import House

RESULTS = PROJECT / "benchmarks" / "results"
PAUSE_SECONDS = 0.1
SETTLE_SECONDS = 1.0
EVERY_SECONDS = 1.0
STOP_SECONDS = 30
FLOODED_AT_ONCE = 500

Tell = Callable[[], Awaitable[int]]
#: Takes a figure by its name as soon as it is there.
Note = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Size:
    """How much is measured: sockets, a few of them, requests whose hints and requests whose rows are waited for,
    decisions for each figure, silent sockets, and the hints that are meant for those."""

    sockets: int = 500
    few: int = 50
    requests: int = 20
    rows: int = 8
    decisions: int = 25
    silent: int = 20
    flood: int = 50_000


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hints", description=__doc__)
    for name, number in vars(Size()).items():
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--seconds", type=int, default=190, help="how long it measures at most")
    parser.add_argument("--into", type=Path, help="where the JSON goes")
    options = vars(parser.parse_args())
    into, seconds = options.pop("into"), options.pop("seconds")
    size = Size(**options)
    figures: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "size": options,
        "cores": os.cpu_count(),
        "busy_before": psutil.cpu_percent(interval=2) / 100,
    }
    note = noting(figures)
    with (
        tempfile.TemporaryDirectory(prefix="countersign-hints-") as folder,
        product.services(Path(folder)) as config,
    ):
        django.setup()
        from benchmarks.house import House

        print(f"{size.sockets} reviewers sign in", file=sys.stderr)
        house = House.of(size.sockets)
        ends = monotonic() + seconds
        with product.running(config, only="web") as pids:
            in_time = asyncio.run(
                until_then(ends, measure(config.address, pids["web"], house, size, note))
            )
        in_time = in_time and asyncio.run(until_then(ends, peers(config.redis_url, size, note)))
    figures["load_after"] = os.getloadavg()
    figures["in_time"] = in_time
    RESULTS.mkdir(exist_ok=True)
    path = into or RESULTS / f"hints-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print("\n".join(lines(figures)))
    if not in_time:
        print(f"Stopped after {seconds} s: what is not listed was not measured.", file=sys.stderr)
    return 0 if in_time else 1


def noting(figures: dict[str, Any]) -> Note:
    """Keeps each figure, and tells it."""

    def note(name: str, figure: dict[str, Any]) -> None:
        figures[name] = figure
        print("\n".join(_row(name, figure, None)), file=sys.stderr, flush=True)

    return note


async def until_then(ends: float, work: Awaitable[None]) -> bool:
    """Whether it was done by that moment of the monotonic clock; it is given up then."""
    try:
        async with asyncio.timeout(ends - monotonic()):
            await work
    except TimeoutError:
        if monotonic() < ends:
            raise  # something in it took too long, and the bench did not
        return False
    return True


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as a table; hints with their ratio to the bare fan-out."""
    yield f"{'':46}{'p50':>9}{'p95':>9}{'p99':>9}"
    floor = figures.get("hint, bare fan-out", {}).get("p99_ms")
    for name, one in figures.items():
        if isinstance(one, dict):
            yield from _row(name, one, floor)


def _row(name: str, one: dict[str, Any], floor: float | None) -> Iterator[str]:
    if "p99_ms" in one:
        ratio = f"   {one['p99_ms'] / floor:.1f} ×" if floor and name.startswith("hint, ") else ""
        numbers = "".join(f"{one[part]:>9.1f}" for part in ("p50_ms", "p95_ms", "p99_ms"))
        spent = one.get("processor_ms")
        worked = f"   {spent:.1f} ms of the web process for each" if spent else ""
        yield f"{name:46}{numbers}{ratio}{worked}"
    if "before_mb" in one:
        yield f"memory of the web process, MB: {one['before_mb']} before, {one['after_mb']} after"


async def measure(url: str, web: int, house: "House", size: Size, note: Note) -> None:
    """The product's figures."""
    told = opening(house)
    note("hint, ours", await heard(f"{url}/ws/inbox/", house.cookies, size.requests, told))
    silent = await _silent(url, web, house, size)
    others = silent.pop("others")
    note("silent", silent)
    note("hint, beside silent sockets", others)
    decisions = Decisions(url, house)
    # The first is slower: statements and templates are made with it.
    await decisions.take(1)
    note("decision, nobody looks", summary(await decisions.take(size.decisions)))
    for number in sorted({size.few, size.sockets}):
        screens = Screens()
        await screens.open(url, house.cookies[:number])
        await asyncio.sleep(SETTLE_SECONDS)
        note(f"row on {number} screens", await _rows(screens, house, size.rows, web))
        note(f"decision, {number} pages open", summary(await decisions.take(size.decisions)))
        stream = asyncio.create_task(_stream(house))
        busy = await decisions.take(size.decisions)
        stream.cancel()
        note(f"decision, {number} pages and new requests", summary(busy))
        await screens.close()


def opening(house: "House") -> Tell:
    """Opens a request for them all; the moment of its commit."""

    async def told() -> int:
        return (await sync_to_async(house.open)())[1]

    return told


async def heard(address: str, cookies: list[str], requests: int, tell: Tell) -> dict[str, Any]:
    """Milliseconds from what `tell` returns until each of the sockets has its hint."""
    crowd = Crowd()
    await crowd.join(address, cookies)
    taken: list[float] = []
    # The first only makes sure that every socket is subscribed.
    for number in range(requests + 1):
        await asyncio.sleep(PAUSE_SECONDS)
        found = await crowd.reached(tell)
        taken += found if number else []
    crowd.leave()
    return {"sockets": len(cookies), **summary(taken)}


async def _rows(screens: Screens, house: "House", requests: int, web: int) -> dict[str, Any]:
    taken: list[float] = []
    process, worked = psutil.Process(web), 0.0
    rest = within(len(screens.all)) * REST_TIMES / 1e3
    for _ in range(requests):
        # One new request in a quiet house: the pages have rested from the one before.
        await asyncio.sleep(rest + EVERY_SECONDS)
        name, committed = await sync_to_async(house.open)()
        before = _worked(process)
        taken += await screens.show(name, committed)
        worked += _worked(process) - before
    each = worked / len(taken) * 1e3
    return {"looks": len(taken), "processor_ms": round(each, 2), **summary(taken)}


def _worked(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _stream(house: "House") -> None:
    while True:
        await sync_to_async(house.open)()
        await asyncio.sleep(EVERY_SECONDS)


class Decisions:
    """One reviewer who decides over the API, one request after the other."""

    def __init__(self, url: str, house: "House") -> None:
        self.url = url
        self.house = house

    async def take(self, number: int) -> list[float]:
        """Milliseconds that each of so many decisions took."""
        taken = []
        for _ in range(number):
            name, _ = await sync_to_async(self.house.open)()
            body = await sync_to_async(self.house.verdict)(name)
            taken.append(await asyncio.to_thread(self._post, name, body))
            await asyncio.sleep(PAUSE_SECONDS)
        return taken

    def _post(self, name: str, body: dict[str, Any]) -> float:
        asked = urllib.request.Request(
            f"{self.url}/api/v1/approvals/{name}/decisions",
            data=orjson.dumps(body),
            headers={
                "Authorization": f"Bearer {self.house.bearer}",
                "Content-Type": "application/json",
            },
        )
        began = monotonic_ns()
        with urllib.request.urlopen(asked, timeout=60) as answer:
            answer.read()
        return (monotonic_ns() - began) / 1e6


async def _silent(url: str, web: int, house: "House", size: Size) -> dict[str, Any]:
    """Sockets whose browsers read nothing, and more hints for them than any buffer takes."""
    address = f"{url}/ws/inbox/"
    silent = [
        await Listener.connect(address, house.cookies[0], lambda *_: None)
        for _ in range(size.silent)
    ]
    for each in silent:
        each.transport.pause_reading()
    before = usage({"web": web})["web"].own_bytes
    await asyncio.to_thread(_flood, house.audience, size.flood)
    others = await heard(address, house.cookies[1:], size.requests, opening(house))
    after = usage({"web": web})["web"].own_bytes
    for each in silent:
        each.transport.abort()
    return {
        "sockets": size.silent,
        "hints": size.flood,
        "before_mb": round(before / 1e6, 1),
        "after_mb": round(after / 1e6, 1),
        "others": others,
    }


def _flood(audience: str, number: int) -> None:
    """Each about a request of its own, so that none takes the place of another."""
    from accounts.hints import CHANNEL

    with Redis.from_url(os.environ["REDIS_URL"]) as client:
        for first in range(0, number, FLOODED_AT_ONCE):
            with client.pipeline(transaction=False) as pipeline:
                for _ in range(first, min(first + FLOODED_AT_ONCE, number)):
                    hint = {"topic": "request", "id": str(uuid4()), "version": 1, "kind": "x"}
                    pipeline.publish(CHANNEL, orjson.dumps({"to": [audience], "hint": hint}))
                pipeline.execute()


async def peers(redis_url: str, size: Size, note: Note) -> None:
    """The same hint through the stock layer, and through one bare subscription."""
    from benchmarks.fanouts import CHANNEL, GROUP

    hint = {"topic": "request", "id": str(uuid4()), "version": 1, "kind": "opened"}
    text = orjson.dumps(hint).decode()
    layer = RedisPubSubChannelLayer(hosts=[redis_url])
    client = Redis.from_url(redis_url)

    async def by_layer() -> int:
        moment = monotonic_ns()
        await layer.group_send(GROUP, {"type": "hint", "text": text})
        return moment

    async def bare() -> int:
        moment = monotonic_ns()
        client.publish(CHANNEL, text)
        return moment

    nobody = [""] * size.sockets
    for name, application, tell in (
        ("hint, stock Channels layer", "stock", by_layer),
        ("hint, bare fan-out", "bare", bare),
    ):
        with _served(application) as url:
            note(name, await heard(url, nobody, size.requests, tell))
    client.close()
    await layer.flush()


@contextmanager
def _served(application: str) -> Iterator[str]:
    """One web process with an application of `benchmarks.fanouts`; its address."""
    port = product.free_port()
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.fanouts:{application}"]
    quiet = ("--lifespan", "off", "--log-level", "warning", "--port", str(port))
    process = subprocess.Popen([*command, *quiet], cwd=PROJECT)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _listens(port), every_seconds=0.1, patience_seconds=STOP_SECONDS)
        yield url
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    sys.exit(main())
