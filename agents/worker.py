"""The worker process: RQ's SimpleWorker, without its scheduler, that outlives a Redis that is away."""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import threading
from dataclasses import dataclass
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import close_old_connections, connections
from redis import Redis, RedisError
from rq.exceptions import DequeueTimeout, DeserializationError, NoSuchJobError, StopRequested
from rq.serializers import JSONSerializer
from rq.utils import as_text
from rq.worker import SimpleWorker

# Before a pool forks its workers, which so share it, and before a run waits for it.
import agents.llm  # noqa: F401
from agents import spans
from agents.jobs import advance_run
from agents.queues import woken_by
from agents.runner import advance
from agents.worker_loop import OWNER, next_ready_run, owner, stopping, worn_out
from audit import background_jobs, log_ids, tracing
from audit.fault_points import reached

log = structlog.get_logger(__name__)

PR_SET_PDEATHSIG = 1
POP_SECONDS = 2
UNREADABLE = "unreadable"
AWAY_SECONDS = 1.0
# For how long runs are advanced before Redis is asked again: one that is cut off takes seconds not to answer.
WITHOUT_SECONDS = 5.0
HEARTBEAT_SECONDS = 10.0


def keep_shared() -> None:
    """Let workers that are forked from here go on sharing what is in memory already: their collector of garbage
    would else write to each page of it, and so make it their own."""
    gc.collect()
    gc.freeze()


os.register_at_fork(before=keep_shared)


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies (Linux; elsewhere the pool does it)."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        log.info("no_parent_death_signal")


def close_lost_connections() -> None:
    """As `close_old_connections`, without asking PostgreSQL whether it is there: where the other end is gone, or said
    something, its socket shows that. This stands between a decision and its effect.

    What goes away without a word is noticed by the statement that meets it, and the run is found by the sweep.
    """
    close_old_connections()
    for connected in connections.all(initialized_only=True):
        if connected.connection is not None and not _has_news(connected.connection.fileno()):
            connected.health_check_done = True  # type: ignore[attr-defined]


def _has_news(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


@dataclass(frozen=True)
class WakeUp:
    """A popped wake-up: the id of its job, the run that it names, and its number for that run."""

    id: str
    run_id: UUID
    wake_seq: int


def _name_of(job: Any) -> str:
    """What the job calls. One that cannot be read is taken all the same: RQ finds that out when it performs it,
    and keeps it among those that failed."""
    try:
        return str(job.func_name)
    except DeserializationError:
        return UNREADABLE


class AdvancingWorker(SimpleWorker):
    """Pops with a bound; while Redis does not answer, finds ready runs in PostgreSQL instead.

    Queue names it is given are those of its pool; one queue a worker, since RQ can lose a job between
    several.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Whatever starts the pool: jobs hold ids as JSON, and nothing that is unpickled.
        kwargs["serializer"] = JSONSerializer
        super().__init__(*args, **kwargs)
        self.life_id = uuid4().hex
        self._advancing = False
        self._beat_at = -HEARTBEAT_SECONDS

    def _set_ip_address(self, connection: Redis) -> None:
        """RQ asks Redis for it while the worker is made; one that is away must not keep it from working."""
        self.ip_address = "unknown"
        try:
            super()._set_ip_address(connection)
        except RedisError as error:
            log.warning("redis_away", error=type(error).__name__)

    @property
    def dequeue_timeout(self) -> int:
        return POP_SECONDS

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Work until asked to stop; RQ's own loop ends whenever Redis goes away, ours goes on.

        A process with a tool's hung call in it ends too, and its pool starts another one.
        """
        end_with_parent()
        kwargs["with_scheduler"] = False
        self._keep_sign_of_life()
        tracing.begin("worker")
        worked = False
        try:
            while not stopping() and not worn_out():
                try:
                    worked = super().work(*args, **kwargs) or worked
                except RedisError as error:
                    log.warning("redis_away", error=type(error).__name__)
                    self._work_without_redis()
                if self._stop_requested or kwargs.get("burst"):
                    break
            return worked
        finally:
            tracing.end()

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Any, Any] | None:
        """The next job; while Redis is away, ready runs are advanced from PostgreSQL instead.

        RQ's own loop only backs off then, longer each time, with decided runs left standing.
        """
        while not stopping() and not worn_out():
            try:
                self.heartbeat()
                found = self._pop(timeout)
            except DequeueTimeout:
                continue
            except RedisError as error:
                log.warning("redis_away", error=type(error).__name__)
                self._work_without_redis()
                continue
            return found
        raise StopRequested

    def _pop(self, timeout: int | None) -> tuple[Any, Any] | None:
        """The next job of this worker's queue. A wake-up is taken by its id alone, which says everything:
        RQ's own way asks Redis four times more, and a wake-up that is lost is found by the sweep."""
        (queue,) = self._ordered_queues
        popped: Any = (
            self.connection.lpop(queue.key)
            if timeout is None
            else self.connection.blpop([queue.key], timeout=timeout)
        )
        if popped is None:
            if timeout is None:
                return None
            raise DequeueTimeout(timeout, queue.key)
        job_id = as_text(popped if timeout is None else popped[1])
        woken = woken_by(job_id)
        if woken is not None:
            return WakeUp(job_id, *woken), queue
        try:
            job = self.job_class.fetch(
                job_id, connection=self.connection, serializer=self.serializer
            )
        except NoSuchJobError:
            return self._pop(timeout)
        job.redis_server_version = self.get_redis_server_version()
        return job, queue

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run the job in this process with database connections that are known to be alive."""
        reached("job.popped")
        close_lost_connections()
        try:
            if isinstance(job, WakeUp):
                with (
                    log_ids.only(job=job.id),
                    spans.taking(job.run_id, job.wake_seq, queue.name),
                ):
                    self._wake(job, queue)
            else:
                with background_jobs.taken(job.id, _name_of(job), job.meta):
                    super().execute_job(job, queue)
        finally:
            close_old_connections()

    def _wake(self, job: WakeUp, queue: Any) -> None:
        """Advance the run. What goes wrong is said and left to the sweep: the run keeps its lease until
        that runs out, and is taken up again then."""
        self._advancing = True
        try:
            advance_run(str(job.run_id), another_waits=partial(self._another_waits, queue))
        # Whatever is wrong with this run, the worker goes on with others.
        except Exception:
            log.exception("advance_failed", run=str(job.run_id))
            close_old_connections()
        finally:
            self._advancing = False
        try:
            self.connection.delete(self.job_class.key_for(job.id))
        except RedisError:
            log.debug("wake_up_left_in_redis", job=job.id)

    def _another_waits(self, queue: Any) -> bool:
        """Whether a wake-up stands in the queue; False where Redis does not say."""
        try:
            return bool(self.connection.llen(queue.key))
        except RedisError:
            return False

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """RQ's own sign of life, no oftener than it is needed."""
        if pipeline is None and timeout is None:
            passed = monotonic() - self._beat_at
            if passed < HEARTBEAT_SECONDS:
                return
            self._beat_at = monotonic()
        super().heartbeat(timeout, pipeline)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop claiming; the run at hand is given back at its next safe point."""
        stopping.asked = True
        super().request_stop(signum, frame)

    def _shutdown(self) -> None:
        """Let a run that is advanced without Redis come to a safe point: RQ takes such a worker for idle
        and would raise in the middle of whatever it does."""
        if self._advancing:
            self._stop_requested = True
            return
        super()._shutdown()

    def set_shutdown_requested_date(self) -> None:
        """Note it where Redis answers; this runs in a signal's handler, in the middle of a call."""
        try:
            super().set_shutdown_requested_date()
        except RedisError as error:
            log.warning("redis_away", error=type(error).__name__)

    def _work_without_redis(self) -> None:
        """Advance ready runs straight from PostgreSQL until Redis answers again."""
        pause = threading.Event()
        while not stopping() and not worn_out():
            try:
                self.connection.ping()
                return
            except RedisError:
                self._advance_for(WITHOUT_SECONDS)
            pause.wait(AWAY_SECONDS)

    def _advance_for(self, seconds: float) -> None:
        """Advance ready runs until there is none, one went wrong, or that time is over."""
        close_old_connections()
        if "background" in self.queue_names():
            return
        ends = monotonic() + seconds
        while monotonic() < ends and not stopping() and not worn_out() and self._advance_next():
            close_old_connections()

    def _advance_next(self) -> bool:
        """Advance the run that has been ready longest; False when there is none, or it went wrong."""
        self._advancing = True
        try:
            ready = next_ready_run()
            return ready is not None and advance(ready, owner=owner(), stopping=stopping)
        # Whatever is wrong with this run, or with PostgreSQL for a while: it is tried again after a pause.
        except Exception:
            log.exception("advance_failed")
            return False
        finally:
            self._advancing = False

    def _keep_sign_of_life(self) -> None:
        thread = threading.Thread(target=self._show_life, name="sign-of-life", daemon=True)
        thread.start()

    def _show_life(self) -> None:
        """Keep a key in Redis from which readiness reads that a worker of this queue lives."""
        seconds = settings.COUNTERSIGN.sign_of_life_seconds
        pause = threading.Event()
        while not stopping():
            for name in self.queue_names():
                key = f"countersign:alive:worker:{name}:{self.life_id}"
                try:
                    self.connection.set(key, f"{OWNER}:{os.getpid()}", ex=max(1, int(seconds)))
                except RedisError:
                    log.debug("sign_of_life_lost", queue=name)
            pause.wait(seconds / 3)
