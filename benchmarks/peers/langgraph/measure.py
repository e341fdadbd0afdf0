"""LangGraph: `interrupt()` and `Command(resume=…)` with the PostgreSQL checkpointer.

A graph of three nodes: ask the model, wait for approval and act, tell the model. Modes are its
durability settings. A burst runs on several threads of each process, each with its own checkpointer:
one checkpointer lets only one thread at a time reach the database.
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypedDict, cast

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from psycopg import Connection
from psycopg.rows import dict_row

from benchmarks.peers.driver import Moments, Recorded, main, now
from benchmarks.peers.shared import conclude, outside, propose

THREADS = 2
Durability = Literal["sync", "async", "exit"]


class State(TypedDict, total=False):
    """What a thread of the graph holds."""

    number: int
    proposed: int
    summary: str


def ask(state: State) -> State:
    """The model proposes."""
    return {"proposed": propose(state["number"])}


def act(state: State) -> State:
    """A person approves; then the action. What is above `interrupt` would run twice."""
    if interrupt({"mark": state["proposed"]}):
        outside().recorder.act(state["proposed"])
    return {}


def tell(state: State) -> State:
    """The model ends."""
    return {"summary": conclude(state["number"])}


class LangGraph(Recorded):
    """The graph with one durability."""

    def __init__(self, mode: str) -> None:
        self.durability = cast(Durability, mode)
        self.local = threading.local()
        self.pool = ThreadPoolExecutor(THREADS)
        self.connections: list[Connection[Any]] = []
        self._saver().setup()

    def cycle(self, number: int) -> Moments:
        began = now()
        self._start(number)
        parked = now()
        self._resume(number)
        return Moments(began, parked, parked, None, now())

    def park(self, numbers: Sequence[int]) -> int:
        self._each(self._start, numbers)
        return len(numbers)

    def approve(self, numbers: Sequence[int]) -> None:
        self._each(self._resume, numbers)

    def recover(self, number: int) -> dict[str, Any]:
        """Go on from the last checkpoint, as documented; approve again where that waits once more."""
        state = self._graph().invoke(None, self._config(number), durability=self.durability)
        lost = "__interrupt__" in state
        if lost:
            self._resume(number)
        return {"decision_lost": lost}

    def close(self) -> None:
        self.pool.shutdown()
        for connection in self.connections:
            connection.close()

    def _each(self, do: Callable[[int], None], numbers: Sequence[int]) -> None:
        for _ in self.pool.map(do, numbers):
            pass

    def _start(self, number: int) -> None:
        state = self._graph().invoke(
            {"number": number}, self._config(number), durability=self.durability
        )
        assert "__interrupt__" in state, "it did not wait"

    def _resume(self, number: int) -> None:
        state = self._graph().invoke(
            Command(resume=True), self._config(number), durability=self.durability
        )
        assert state["summary"], "it did not finish"

    def _config(self, number: int) -> Any:
        return {"configurable": {"thread_id": f"{self.durability}-{number}"}}

    def _graph(self) -> Any:
        if not hasattr(self.local, "graph"):
            graph = StateGraph(State)
            graph.add_node("ask", ask)
            graph.add_node("act", act)
            graph.add_node("tell", tell)
            graph.add_edge(START, "ask")
            graph.add_edge("ask", "act")
            graph.add_edge("act", "tell")
            graph.add_edge("tell", END)
            self.local.graph = graph.compile(checkpointer=self._saver())
        return self.local.graph

    def _saver(self) -> PostgresSaver:
        connection: Connection[Any] = Connection.connect(
            os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0, row_factory=dict_row
        )
        self.connections.append(connection)
        return PostgresSaver(connection)


if __name__ == "__main__":
    main(["async", "exit"], lambda mode, _name: LangGraph(mode))
