"""The cycle as Prefect's manual has it: tasks that ask, act and tell, and a pause between them.

Two flows, since a run that is paused keeps its process and one that is suspended gives it up. Imported by
the runner's processes too.
"""

from collections.abc import Callable
from uuid import UUID

from prefect import flow, task
from prefect.flow_runs import pause_flow_run, suspend_flow_run
from prefect.runtime import flow_run

from benchmarks.peers.shared import conclude, outside, propose

DECISION_SECONDS = 3600
# The least of its type: whole seconds. As shipped it is 10.
LOOK_SECONDS = 1

#: Who in this process waits for the id of the run of a cycle.
waiting: dict[int, Callable[[UUID], None]] = {}


@task
def ask(number: int) -> int:
    """The model proposes."""
    return propose(number)


@task
def act(number: int) -> None:
    """The action, outside."""
    outside().recorder.act(number)


@task
def tell(number: int) -> str:
    """The model ends."""
    return conclude(number)


@flow(flow_run_name="pause-{number}")
def paused(number: int) -> str:
    """Waits in its process."""
    proposed = ask(number)
    if number in waiting:
        waiting.pop(number)(UUID(flow_run.id))
    pause_flow_run(timeout=DECISION_SECONDS, poll_interval=LOOK_SECONDS)
    act(proposed)
    return str(tell(number))


@flow(persist_result=True)
def suspended(number: int) -> str:
    """Ends its process while it waits, and is started anew to go on; the results of its tasks are kept."""
    proposed = ask(number)
    suspend_flow_run(timeout=DECISION_SECONDS)
    act(proposed)
    return str(tell(number))
