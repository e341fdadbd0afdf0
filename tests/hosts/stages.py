"""What is done to the hosts, one after the other, under load; each stage says what it measured."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from agents.models import Run, Step
from agents.states import ENDED
from countersign.databases import NOTICED_SECONDS
from tests.faults.outside import ticket_text
from tests.hosts.house import LEASE_SECONDS, House
from tests.hosts.load import Load
from tests.hosts.programs import Program, Tally
from tests.hosts.servers import until
from tests.hosts.sockets import Sockets
from tests.model_server import Answer

#: What a busy machine of two cores takes for what is at once elsewhere.
SLACK_SECONDS: Final = 8.0
PATIENCE_SECONDS: Final = 60.0
HELD_SECONDS: Final = 300.0


@dataclass(frozen=True)
class Figure:
    """One thing that was measured or counted; `most` is what it may be."""

    stage: str
    what: str
    value: float
    most: float | None = None

    @property
    def well(self) -> bool:
        return self.most is None or self.value <= self.most


@dataclass
class Models:
    """The model's answers; those about a ticket in `holds` wait for its event."""

    answer: Callable[[dict[str, Any]], Answer]
    holds: dict[str, threading.Event] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def __call__(self, request: dict[str, Any]) -> Answer:
        said = str(request["messages"][1]["content"])
        for ticket, event in list(self.holds.items()):
            if f'"{ticket}"' in said:
                self.asked[ticket] += 1
                event.wait(HELD_SECONDS)
        if self.seconds:
            time.sleep(self.seconds)
        return self.answer(request)


class Stages:
    """All that is done to one house. `figures` has what came of it."""

    def __init__(
        self,
        house: House,
        load: Load,
        sockets: Sockets,
        models: Models,
        tally: Tally,
        *,
        admin: Program,
    ) -> None:
        self.house, self.load, self.sockets, self.admin = house, load, sockets, admin
        self.models, self.tally = models, tally
        self.figures: list[Figure] = []
        self.stage = ""

    @property
    def operator(self) -> Program:
        return self.load.operator

    def note(self, what: str, value: float, most: float | None = None) -> None:
        """Keep a figure of this stage."""
        self.figures.append(Figure(self.stage, what, round(value, 2), most))

    @contextmanager
    def named(self, name: str) -> Iterator[None]:
        """One stage: what programs met in it is counted, and at its end the load goes on as before."""
        self.stage = name
        before = self.tally.begin()
        self.sockets.begin()
        ended = self.load.ended()
        began = time.monotonic()
        yield
        self.wait("runs go on", lambda: self.load.ended() >= ended + 3)
        self.note("runs that ended meanwhile", self.load.ended() - ended)
        self.note("seconds it took", time.monotonic() - began)
        self.note("slowest answer, with repeats, in seconds", self.tally.slowest)
        for what, number in sorted((self.tally.begin() - before).items()):
            if what != "requests answered":
                self.note(what, number, 0 if what == "requests failed" else None)

    def mend(self) -> None:
        """Whatever a stage has left cut off, held or standing goes on."""
        for name in self.house.machines:
            self.house.network.join(name)
            self.house.resume(name)
        for held in (self.models.holds, self.load.recorder.holds):
            for event in held.values():
                event.set()
            held.clear()

    def wait(
        self, what: str, condition: Callable[[], object], seconds: float = PATIENCE_SECONDS
    ) -> float:
        """Wait for it, also while the database is away; after how many seconds it was so."""

        def look() -> object:
            try:
                return condition()
            except DatabaseError:
                connection.close()
                return False

        return until(look, seconds, what)

    # -- a worker host

    def cut_worker(self) -> None:
        """A worker's host is cut off while it waits for a model, is in a call, and is in the middle of parking."""
        with self.named("a worker host cut off"):
            held, called = self.load.ticket(), self.load.ticket()
            # Until all three are under way, nobody else takes them.
            self._signal_other(signal.SIGSTOP)
            self.models.holds[held], self.load.recorder.holds[called] = answer, reply = (
                threading.Event(),
                threading.Event(),
            )
            asking = self._start(held)
            self.wait("the model is asked", lambda: self.models.asked[held])
            self.house.arm("worker-1", "park.requests_open")
            self.wait("one parks", lambda: self.house.struck("worker-1", "park.requests_open"))
            in_call = self._start(called)
            self.wait("a call is under way", lambda: self.load.recorder.of(called))
            self.house.network.cut("worker-1")
            cut_at = time.monotonic()
            self._signal_other(signal.SIGCONT)
            standing = self._standing()
            epochs = {run: self._epoch(run) for run in (asking, in_call, *standing)}
            self.note("runs whose rows were locked over its connections", len(standing))
            for what, runs in (
                ("in the model call", [asking]),
                ("in a call", [in_call]),
                ("in the middle of parking, with its row locked", standing),
            ):
                self.wait(
                    f"others took over {what}",
                    lambda runs=runs: all(self._epoch(run) > epochs[run] for run in runs),
                    90,
                )
                most = max(LEASE_SECONDS, NOTICED_SECONDS) + SLACK_SECONDS
                self.note(
                    f"seconds until a run {what} was taken over", time.monotonic() - cut_at, most
                )
            self.models.holds.pop(held)
            self.load.recorder.holds.pop(called)
            self.house.network.join("worker-1")
            self.house.resume("worker-1")
            answer.set()
            reply.set()
            self.wait("they have ended", lambda: all(self._ended(run) for run in epochs), 90)
            self.note(
                "calls of the opaque tool that was under way", len(self.load.recorder.of(called)), 1
            )
            doubled = [run for run in epochs if self._doubled_steps(run)]
            self.note("steps journalled twice by the host that came back", len(doubled), 0)

    def _signal_other(self, number: signal.Signals) -> None:
        for pool in ("resumes", "runs"):
            self.house.machines["worker-2"].signal(pool, number)

    def _start(self, ticket: str) -> str:
        return self.operator.start("works", ticket_text(ticket, [[("post", "20.00")]]))

    def _standing(self) -> list[str]:
        """Runs whose worker stands still in the middle of a transaction: their rows are locked."""
        running = Run.objects.filter(state="running", lease_owner__startswith="worker-1:")
        free = Run.objects.select_for_update(skip_locked=True).filter(pk__in=running)
        with transaction.atomic():
            unlocked = set(free.values_list("pk", flat=True))
        return [str(pk) for pk in running.values_list("pk", flat=True) if pk not in unlocked]

    def _epoch(self, run: str) -> int:
        return int(Run.objects.values_list("epoch", flat=True).get(pk=run))

    def _ended(self, run: str) -> bool:
        return Run.objects.filter(pk=UUID(run), state__in=ENDED).exists()

    def _doubled_steps(self, run: str) -> bool:
        seen = list(Step.objects.filter(run_id=run).values_list("seq", flat=True))
        return len(seen) != len(set(seen))

    # -- a web host

    def kill_web(self) -> None:
        """A web host loses its power; sockets and programs go on at the other."""
        with self.named("a web host killed"):
            self._lose_web(lambda: self.house.machines["web-1"].kill("web-8000"))
            self.house.start_web("web-1")
            self.wait("web-1 is well", lambda: self.house.upstreams["web-1:8000"].failures == 0)

    def cut_web(self) -> None:
        """A web host falls silent: nothing is reset, packets are lost."""
        with self.named("a web host cut off"):
            self._lose_web(lambda: self.house.network.cut("web-2"))
            self.house.network.join("web-2")
            self.wait("web-2 is well", lambda: self.house.upstreams["web-2:8000"].well)

    def _lose_web(self, lose: Callable[[], None]) -> None:
        all_of_them = len(self.sockets.readers)
        self.wait(
            f"all sockets are open ({self.sockets.readers[0].trouble})",
            lambda: self.sockets.open == all_of_them,
        )
        before = self.sockets.reconnections
        lose()
        self.wait("sockets have moved", lambda: self.sockets.reconnections > before)
        self.wait("all sockets are open again", lambda: self.sockets.open == all_of_them)
        self.note("sockets that connected anew", self.sockets.reconnections - before)
        self.note("seconds that a socket was away, at most", self.sockets.longest_away, 10)

    # -- a scheduler's host

    def cut_timer(self) -> None:
        """The scheduler that seals is cut off with the log's state locked; the other takes over."""
        with self.named("the sealing scheduler cut off"):
            self.house.arm("timer-1", "seal.before_commit")
            self.wait("it seals", lambda: self.house.struck("timer-1", "seal.before_commit"))
            sealed = self.house.sealed()
            self.house.network.cut("timer-1")
            took = self.wait("the other seals", lambda: self.house.sealed() > sealed, 120)
            self.note("seconds until the other one seals", took, NOTICED_SECONDS + SLACK_SECONDS)
            self.house.network.join("timer-1")
            self.house.resume("timer-1")

    # -- Redis

    def kill_redis(self) -> None:
        """Redis is killed, and comes back empty."""
        with self.named("Redis killed, and back empty"):
            self.house.redis.machine.kill("redis")
            ended = self.load.ended()
            self.let_pass(8)
            self.note("runs that ended without it", self.load.ended() - ended)
            self.house.redis.start()

    def cut_redis(self) -> None:
        """Redis falls silent."""
        with self.named("Redis cut off"):
            ended = self.load.ended()
            self.house.network.cut("redis")
            self.let_pass(20)
            self.note("runs that ended in 20 seconds without it", self.load.ended() - ended)
            self.house.network.join("redis")

    def let_pass(self, seconds: float) -> None:
        """Let the load go on for so long."""
        ends = time.monotonic() + seconds
        self.wait("time goes by", lambda: self.load.ended() < 0 or time.monotonic() > ends)

    # -- PostgreSQL

    def kill_database(self) -> None:
        """PostgreSQL is killed in the middle of everything, and started again."""
        with self.named("PostgreSQL killed and started again"):
            ended = self.load.ended()
            self.house.database.kill()
            self.house.database.start()
            took = self.wait("runs end again", lambda: self.load.ended() > ended)
            self.note("seconds until a run ended again", took, 20)

    def cut_database(self) -> None:
        """PostgreSQL falls silent for half a minute."""
        with self.named("PostgreSQL cut off for 30 seconds"):
            self.house.network.cut("database")
            time.sleep(30)
            ended = self.load.ended()
            self.house.network.join("database")
            took = self.wait("runs end again", lambda: self.load.ended() > ended, 120)
            self.note("seconds until a run ended again", took, NOTICED_SECONDS + SLACK_SECONDS)
