"""Senders that are killed at every point, and a receiver that fails: nothing is missed, order is kept."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit.models import Checkpoint, Cosignature, Leaf, LogKey, SinkCursor
from audit.services.seal import seal
from countersign.programs import PROJECT
from tests.audit.conftest import PATIENCE_SECONDS, SEALING_LOGINS, Record, until
from tests.audit.receivers import Got, WebReceiver, web_receiver
from tests.audit.test_streaming import SECRET
from tests.audit.witness import TestWitness, serving
from tests.harness.cluster import product_environment
from tests.harness.environment import TestProcess
from tests.harness.nursery import NURSERY, Forked

pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)

POINTS = ("stream.chosen", "stream.sent", "stream.committed", "witness.cosigned")
Start = Callable[[], Forked]


@pytest.fixture
def receiver() -> Iterator[WebReceiver]:
    with web_receiver() as made:
        yield made


@pytest.fixture
def witness() -> Iterator[TestWitness]:
    with serving(TestWitness()) as made:
        yield made


@pytest.fixture
def start(
    test_process: TestProcess,
    machine: Path,
    points: Path,
    receiver: WebReceiver,
    witness: TestWitness,
) -> Iterator[Start]:
    """`start()`: a sender in a process of its own, to the receiver, in batches of four."""
    sink = {"kind": "webhook", "url": receiver.url, "secret": {"env": "SIEM_SECRET"}}
    environment = product_environment(
        **{
            **test_process.settings(),
            "DJANGO_SETTINGS_MODULE": "countersign.settings",
            "COUNTERSIGN_FAULT_POINTS": str(points),
            "COUNTERSIGN_AUDIT_SINKS": json.dumps({"siem": sink}),
            "COUNTERSIGN_WITNESSES": json.dumps({"first": witness.setting}),
            "COUNTERSIGN_AUDIT_SINK_BATCH": "4",
            "COUNTERSIGN_AUDIT_SINK_SECONDS": "0.05",
            "COUNTERSIGN_WITNESS_SECONDS": "0.05",
            "COUNTERSIGN_AUDIT_SINK_LONGEST_WAIT_SECONDS": "0.05",
            "SIEM_SECRET": SECRET,
        }
    )

    def begin() -> Forked:
        return NURSERY.start(
            ["-m", "tests.audit.party", "send", str(PATIENCE_SECONDS)],
            folder=PROJECT,
            environment=environment,
            log=machine / "party.log",
        )

    yield begin
    NURSERY.release(folder=PROJECT, environment=environment)


def test_senders_that_are_killed_anywhere_miss_nothing_and_send_the_same_batch_again(
    start: Start,
    points: Path,
    machine: Path,
    receiver: WebReceiver,
    witness: TestWitness,
    recorded: Record,
) -> None:
    recorded()
    seal()
    witness.logs["approvals.example/log"] = [row.key.public for row in LogKey.objects.all()]
    senders = [start(), start()]
    answers = itertools.cycle([500, 204, 204, 503])
    killed = []
    for point in POINTS * 2:
        receiver.answers = [next(answers) for _ in range(3)]
        (points / point).write_text("kill")
        for _ in range(3):
            recorded()
        seal()
        until(lambda: any(each.ended() for each in senders), f"nobody came to {point}")
        killed.append(point)
        senders[:] = [start() if each.ended() else each for each in senders]
    until(everything_is_sent, "not everything was sent")
    size = Leaf.objects.count()
    for sender in senders:
        sender.terminate()
        sender.wait(PATIENCE_SECONDS)
    assert set(killed) == set(POINTS)
    assert_in_order(receiver.got, size)
    assert len(receiver.got) > len({got.id for got in receiver.got}), "a batch came again"
    assert "Traceback" not in (machine / "party.log").read_text()


def everything_is_sent() -> bool:
    # What the senders have recorded about themselves is sent too.
    seal()
    newest = Checkpoint.objects.newest()
    cosigned = Cosignature.objects.filter(checkpoint=newest).exists()
    return cosigned and SinkCursor.objects.get().next == Leaf.objects.count()


def assert_in_order(got: list[Got], size: int) -> None:
    """The same id means the same bytes; first comings are in the order of the log, without a gap."""
    contents: dict[str, bytes] = {}
    expected = 0
    for each in got:
        if each.id in contents:
            assert contents[each.id] == each.content
            continue
        contents[each.id] = each.content
        indexes = [event["index"] for event in each.data["events"]]
        assert indexes == list(range(expected, expected + len(indexes)))
        expected += len(indexes)
    assert expected == size
