"""Runs by the hundred while processes die, Redis forgets, wake-ups are lost and doubled: nothing may be lost.

The seed fixes what is asked for, what people say and which troubles come; when each comes, the machine decides.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from uuid import UUID

from django.db import connection
from django.db.models import Q
from redis import Redis, RedisError

from accounts.callers import Caller
from accounts.models import User
from agents.models import EffectRecord, Run
from agents.queues import RESUMES, RUNS, wake
from agents.services.control import cancel_run
from agents.states import ENDED
from approvals.models import ApprovalRequest
from audit.errors import Refusal
from tests.faults.balance import at_rest
from tests.faults.plant import Plant

OPEN_AT_ONCE = 40
SETTLE_SECONDS = 90
LEFT_UNDECIDED = 0.03
CANCELLED = 0.03
POINTS = (
    *("job.popped", "run.claiming", "run.claimed", "reply.before_commit", "reply.committed"),
    *("park.requests_open", "hint.unsent.opened", "hint.unsent.parked", "intent.before_commit"),
    *("intent.committed", "call.sent", "call.returned", "result.before_commit"),
    *("result.committed", "job.done", "wake.unsent", "wake.sent"),
)
SWEEPS = ("sweep.row_done._free", "sweep.unsent")


class Storm:
    """One storm over a plant, with a trouble every `pause` seconds or so.

    `redis_away`: for so many seconds in the midst of it Redis is not there; 0: it always is.
    """

    def __init__(
        self, plant: Plant, *, runs: int, seed: int, pause: float = 0.5, redis_away: float = 0.0
    ) -> None:
        self.plant = plant
        self.pause = pause
        self.redis_away = redis_away
        self._redis_left_at: float | None = None
        self._ended_before = 0
        self.wanted = runs
        self.tally: Counter[str] = Counter()
        self.started: list[Run] = []
        self.undecided: set[UUID] = set()
        self._draws = {
            name: random.Random(f"{seed}:{name}")
            for name in ("tickets", "verdicts 1", "verdicts 2", "troubles")
        }
        self._calm = threading.Event()
        self._over = threading.Event()
        self._failed: list[BaseException] = []

    def rage(self) -> None:
        """Start the runs and decide them amid troubles; then wait until nothing moves any more."""
        threads = [
            self._thread(lambda: self._decide(self.plant.reviewer, "verdicts 1")),
            self._thread(lambda: self._decide(self.plant.second_reviewer, "verdicts 2")),
            self._thread(self._trouble),
        ]
        try:
            self._start_all()
            self._wait_for_rest(few=max(3, self.wanted // 20), seconds=SETTLE_SECONDS * 4)
            self._calm.set()
            threads.pop().join(60)
            self._bring_back()
            self.plant.disarm()
            self._wait_for_rest(few=0, seconds=SETTLE_SECONDS)
        finally:
            self._calm.set()
            self._over.set()
            for thread in threads:
                thread.join(60)
        if self._failed:
            raise self._failed[0]
        self._count()

    def _thread(self, body: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                body()
            # Told by the thread that waits for this one.
            except BaseException as error:  # noqa: BLE001
                self._failed.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    # -- work

    def _start_all(self) -> None:
        draw = self._draws["tickets"]
        pause = threading.Event()
        while len(self.started) < self.wanted and not self._failed:
            self._mind_redis()
            if self._moving() >= OPEN_AT_ONCE:
                pause.wait(0.1)
                continue
            rounds = [
                [
                    (draw.choice(("pay", "post", "order", "book")), draw.choice(("2.00", "20.00")))
                    for _ in range(draw.choice((1, 1, 2)))
                ]
                for _ in range(draw.choice((1, 1, 2)))
            ]
            ticket, run = self.plant.start_works(*rounds)
            if draw.random() < 0.05:
                self.plant.recorder.deaf.add(ticket)
            if draw.random() < LEFT_UNDECIDED:
                self.undecided.add(run.pk)
            self.started.append(run)
            if draw.random() < CANCELLED:
                cancelled = draw.choice(self.started[-5:])
                self._try(self._cancel, cancelled)

    def _cancel(self, run: Run) -> None:
        cancel_run(run_id=run.pk, reason="", caller=Caller.of_session(self.plant.operator))
        self.tally["cancelled by a person"] += 1

    def _decide(self, person: User, name: str) -> None:
        draw = self._draws[name]
        while not self._over.is_set():
            left = Q(kind="action", run_id__in=self.undecided)
            waiting = list(ApprovalRequest.objects.filter(state="pending").exclude(left)[:20])
            draw.shuffle(waiting)
            for request in waiting:
                self._try(self._decide_one, request, person, draw)
            self._over.wait(0.1)

    def _decide_one(self, request: ApprovalRequest, person: User, draw: random.Random) -> None:
        if request.kind == "in_doubt":
            effect = EffectRecord.objects.get(pk=request.effect_id)
            known = any(call.key == effect.idempotency_key for call in self.plant.recorder.calls)
            verdict = "happened" if known else "did_not"
        elif request.kind == "action":
            verdict = "approve" if draw.random() < 0.85 else "reject"
        else:
            verdict = "continue"
        reason = {"reason": "Not wanted."} if verdict == "reject" else {}
        self.plant.decide(request, verdict, person, **reason)
        self.tally[f"decided: {verdict}"] += 1

    def _try(self, move: Callable[..., None], *given: object) -> None:
        try:
            move(*given)
        except Refusal:
            # Somebody was faster, as is meant to happen here.
            self.tally["decisions refused"] += 1

    # -- troubles

    def _trouble(self) -> None:
        draw = self._draws["troubles"]
        troubles: list[tuple[Callable[[random.Random], None], int]] = [
            (self._kill_at_point, 50),
            (self._kill_anywhere, 15),
            (self._flush, 8),
            (self._drop_wake, 10),
            (self._double_wake, 12),
            (self._freeze, 3),
            (self._kill_scheduler, 2),
        ]
        moves, weights = zip(*troubles, strict=True)
        while not self._calm.wait(draw.uniform(0.4, 1.6) * self.pause):
            (move,) = draw.choices(moves, weights)
            # Nothing can be done to a Redis that is away.
            with suppress(RedisError):
                move(draw)
            self._bring_back()

    def _mind_redis(self) -> bool:
        """Take Redis away once, when a third of the runs were started, and give it back; whether it is there.

        By the thread that lives longest: the server ends with the thread that started it.
        """
        if not self.redis_away or "seconds without Redis" in self.tally:
            return True
        if self._redis_left_at is None:
            if len(self.started) < self.wanted // 3:
                return True
            self.plant.redis.stop()
            self._redis_left_at = monotonic()
            self._ended_before = self._ended()
        elif monotonic() > self._redis_left_at + self.redis_away:
            self.tally["runs that ended without Redis"] = self._ended() - self._ended_before
            self.plant.redis.start()
            self.tally["seconds without Redis"] = round(self.redis_away)
            return True
        return False

    def _ended(self) -> int:
        return Run.objects.filter(state__in=ENDED).count()

    def _kill_at_point(self, draw: random.Random) -> None:
        self.plant.arm("worker", draw.choice(POINTS))

    def _kill_anywhere(self, draw: random.Random) -> None:
        workers = self.plant.workers_of(draw.choice(("resumes", "runs")))
        if workers:
            with suppress(ProcessLookupError):
                os.kill(draw.choice(workers), signal.SIGKILL)
                self.tally["workers killed anywhere"] += 1

    def _flush(self, _draw: random.Random) -> None:
        with Redis.from_url(self.plant.process.redis_url) as client:
            client.flushall()
        self.tally["flushes of Redis"] += 1

    def _drop_wake(self, draw: random.Random) -> None:
        with Redis.from_url(self.plant.process.redis_url) as client:
            if client.lpop(f"rq:queue:{draw.choice((RESUMES, RUNS))}"):
                self.tally["wake-ups dropped"] += 1

    def _double_wake(self, draw: random.Random) -> None:
        if self.started:
            run = draw.choice(self.started)
            wake(run.pk, draw.randint(0, 5), draw.choice((RESUMES, RUNS)))
            self.tally["wake-ups doubled"] += 1

    def _freeze(self, draw: random.Random) -> None:
        """Stop a worker past its lease, and let it come back."""
        workers = self.plant.workers_of("resumes")
        if workers:
            frozen = draw.choice(workers)
            with suppress(ProcessLookupError):
                os.kill(frozen, signal.SIGSTOP)
                self._calm.wait(1.5)
                os.kill(frozen, signal.SIGCONT)
                self.tally["workers stopped past their lease"] += 1

    def _kill_scheduler(self, draw: random.Random) -> None:
        self.plant.arm("scheduler", draw.choice(SWEEPS))

    def _bring_back(self) -> None:
        """Start what has ended, as a supervisor would."""
        for name in ("resumes", "runs", "scheduler"):
            if not self.plant.is_running(name):
                self.plant.start(name)
        for role in ("worker", "scheduler"):
            for marker in (self.plant.folder / "points" / role).glob("*.used.*"):
                marker.unlink()
                self.tally[f"{role}s killed at {marker.name.split('.used.')[0]}"] += 1

    # -- the end

    def _moving(self) -> int:
        """How many runs have not come to rest."""
        still = Run.objects.exclude(state__in=ENDED)
        moving = still.exclude(pk__in=self.undecided).count()
        return moving + sum(not at_rest(run) for run in still.filter(pk__in=self.undecided))

    def _wait_for_rest(self, *, few: int, seconds: float) -> None:
        """Wait until no more than a few runs move. What moves on at the end is counted as lost."""
        ends = monotonic() + seconds
        while not self._failed:
            is_there = self._mind_redis()
            if is_there and (self._moving() <= few or monotonic() > ends):
                break
            if self._calm.is_set():
                self._bring_back()
            self._over.wait(0.2)

    def _count(self) -> None:
        self.tally["runs"] = len(self.started)
        for state in Run.objects.filter(pk__in=[r.pk for r in self.started]).values_list(
            "state", flat=True
        ):
            self.tally[f"runs {state}"] += 1
        effects = EffectRecord.objects.values_list("effect_class", "state", "sends")
        for effect_class, state, sends in effects:
            self.tally[f"effects: {effect_class}, {state}"] += 1
            self.tally["idempotent calls sent again"] += sends - 1
        self.tally["calls counted outside"] = len(self.plant.recorder.calls)
        self.tally["in doubt, asked of a person"] = ApprovalRequest.objects.filter(
            kind="in_doubt"
        ).count()
        self.tally["kills"] = sum(number for name, number in self.tally.items() if "killed" in name)


def table(tally: Counter[str], found: dict[str, list[str]]) -> str:
    """The tally, and then what must be zero."""
    lines = [f"{tally[name]:>8}  {name}" for name in sorted(tally)]
    lines += [f"{len(sentences):>8}  {name}" for name, sentences in found.items()]
    return "\n".join(lines)
