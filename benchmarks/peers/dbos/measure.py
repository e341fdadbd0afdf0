"""DBOS: a workflow that waits with `recv`, publishes that it waits with `set_event`, and acts in a step.

Modes: `step` acts outside, in a plain step; `transaction` writes a row of its own in a step that commits
together with it. A parked workflow holds a thread of its process, which is how DBOS waits.
"""

import os
from collections.abc import Sequence
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID, SQLAlchemyDatasource
from sqlalchemy import text
from sqlalchemy.engine import make_url

from benchmarks.peers.driver import Moments, Peer, Recorded, main, now
from benchmarks.peers.shared import conclude, outside, propose
from benchmarks.recorder import PATIENCE_SECONDS

DECISION_SECONDS = 3600
URL = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")
ADDRESS = URL.render_as_string(hide_password=False)


@DBOS.step()
def ask(number: int) -> int:
    """The model proposes."""
    return propose(number)


@DBOS.step()
def act(number: int) -> None:
    """The action, outside."""
    outside().recorder.act(number)


@DBOS.step()
def tell(number: int) -> str:
    """The model ends."""
    return conclude(number)


@DBOS.workflow()
def with_step(number: int) -> str:
    """The cycle; the action is a plain step."""
    proposed = ask(number)
    DBOS.set_event("waits", proposed)
    if DBOS.recv(timeout_seconds=DECISION_SECONDS):
        act(proposed)
    return str(tell(number))


class Dbos(Recorded):
    """An application of its own in this process."""

    def __init__(self, mode: str, name: str) -> None:
        config: DBOSConfig = {
            "name": "benchmark",
            "system_database_url": ADDRESS,
            "application_version": "benchmark",
            "executor_id": f"{mode}-{name}",
            "log_level": "ERROR",
        }
        DBOS(config=config)
        self.mode = mode
        self.workflow = with_step
        DBOS.launch()

    def cycle(self, number: int) -> Moments:
        began = now()
        self._start(number)
        self._wait(number)
        parked = now()
        DBOS.send(self._id(number), True)
        committed = now()
        self._finish(number)
        return Moments(began, parked, parked, committed, now())

    def park(self, numbers: Sequence[int]) -> int:
        for number in numbers:
            self._start(number)
        for number in numbers:
            self._wait(number)
        return len(numbers)

    def approve(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            DBOS.send(self._id(number), True)
        for number in numbers:
            self._finish(number)

    def recover(self, number: int) -> dict[str, Any]:
        """Wait: the launch has taken up what its killed predecessor left."""
        self._finish(number)
        return {"decision_lost": False}

    def close(self) -> None:
        DBOS.destroy()

    def _start(self, number: int) -> None:
        with SetWorkflowID(self._id(number)):
            DBOS.start_workflow(self.workflow, number)

    def _wait(self, number: int) -> None:
        waits = DBOS.get_event(self._id(number), "waits", timeout_seconds=PATIENCE_SECONDS)
        assert waits == number, "it does not wait"

    def _finish(self, number: int) -> None:
        assert DBOS.retrieve_workflow(self._id(number)).get_result(), "it did not finish"

    def _id(self, number: int) -> str:
        return f"{self.mode}-{number}"


class DbosInTransaction(Dbos):
    """The same with the action in the application's own database, in one transaction with its step."""

    def __init__(self, mode: str, name: str) -> None:
        source = SQLAlchemyDatasource.create(ADDRESS)
        with source.engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS marked (number bigint NOT NULL)"))
        self.source = source

        @source.transaction
        def act_in_transaction(number: int) -> None:
            insert = text("INSERT INTO marked (number) VALUES (:number)")
            source.sql_session().execute(insert, {"number": number})
            # Only a note of the moment, for the measurement: the action is the row.
            outside().recorder.act(number)

        @DBOS.workflow()
        def with_transaction(number: int) -> str:
            proposed = ask(number)
            DBOS.set_event("waits", proposed)
            if DBOS.recv(timeout_seconds=DECISION_SECONDS):
                act_in_transaction(proposed)
            return str(tell(number))

        super().__init__(mode, name)
        self.workflow = with_transaction

    def executions(self, number: int) -> int:
        counted = text("SELECT count(*) FROM marked WHERE number = :number")
        with self.source.engine.begin() as connection:
            return int(connection.execute(counted, {"number": number}).scalar_one())


def make(mode: str, name: str) -> Peer:
    """The application in that mode."""
    return DbosInTransaction(mode, name) if mode == "transaction" else Dbos(mode, name)


if __name__ == "__main__":
    main(["step", "transaction"], make)
