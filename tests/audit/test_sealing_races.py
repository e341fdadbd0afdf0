"""Writers, sealers and kills at once: every event gets its place, once."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit.fsck import Checked, check
from audit.models import Checkpoint, Event, Leaf, Pending, TreeState
from audit.services.seal import Sealed, seal
from countersign.programs import PROJECT
from tests.audit.conftest import PATIENCE_SECONDS, SEALING_LOGINS, Record, until
from tests.harness.cluster import product_environment
from tests.harness.environment import TestProcess
from tests.harness.nursery import NURSERY, Forked

pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)

POINTS = ("seal.before_commit", "seal.placed", "seal.signed", "seal.kept", "seal.committed")
Start = Callable[..., Forked]


@pytest.fixture
def start(test_process: TestProcess, machine: Path, points: Path) -> Iterator[Start]:
    """`start("seal", …)`: a process of the party, on this machine."""
    environment = product_environment(
        **{
            **test_process.settings(),
            "DJANGO_SETTINGS_MODULE": "countersign.settings",
            "COUNTERSIGN_SIGNING_KEY_PATH": str(machine / "signing_key.pem"),
            "COUNTERSIGN_CHECKPOINT_PATH": str(machine / "checkpoint"),
            "COUNTERSIGN_LOG_ORIGIN": "approvals.example/log",
            "COUNTERSIGN_FAULT_POINTS": str(points),
        }
    )

    def begin(*arguments: object) -> Forked:
        return NURSERY.start(
            ["-m", "tests.audit.party", *map(str, arguments)],
            folder=PROJECT,
            environment=environment,
            log=machine / "party.log",
        )

    yield begin
    NURSERY.release(folder=PROJECT, environment=environment)


def test_six_writers_two_sealers_and_kills_leave_no_gap_no_double_and_no_lost_event(
    start: Start, points: Path, machine: Path, recorded: Record
) -> None:
    writers = [start("write", seed, 25) for seed in range(6)]
    sealers = [start("seal", PATIENCE_SECONDS) for _ in range(2)]
    killed: list[str] = []

    def somebody_died() -> bool:
        if all(writer.ended() for writer in writers) and not Pending.objects.exists():
            # Something has to be sealed where a point is to be reached.
            recorded(stream="person:0")
        return any(sealer.ended() for sealer in sealers)

    for point in itertools.cycle(POINTS):
        if all(writer.ended() for writer in writers) and len(killed) >= len(POINTS):
            break
        (points / point).write_text("kill")
        until(somebody_died, f"nobody came to {point}")
        killed.append(point)
        sealers[:] = [start("seal", PATIENCE_SECONDS) if each.ended() else each for each in sealers]
    for sealer in sealers:
        sealer.terminate()
        sealer.wait(PATIENCE_SECONDS)
    seal()
    assert seal() == Sealed()
    assert not Pending.objects.exists()
    assert set(killed) == set(POINTS)
    assert_whole()
    assert "Traceback" not in (machine / "party.log").read_text()


def assert_whole() -> None:
    """Leaves and events are the same, once each; streams stand in their order; all that was signed fits."""
    leaves = list(Leaf.objects.order_by("index").values_list("index", "event"))
    events = dict(Event.objects.values_list("id", "stream"))
    numbers = dict(Event.objects.values_list("id", "seq"))
    assert [index for index, _ in leaves] == list(range(len(events)))
    assert {event for _, event in leaves} == events.keys()
    seen: Counter[str] = Counter()
    for _, event in leaves:
        seen[events[event]] += 1
        assert numbers[event] == seen[events[event]]
    assert TreeState.objects.get().size == Checkpoint.objects.order_by("-size")[0].size
    assert list(check(Checked())) == []
