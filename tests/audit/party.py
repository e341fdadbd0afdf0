"""A writer, a sealer or a sender as a process of its own.

`python -m tests.audit.party write SEED TIMES | seal SECONDS | send SECONDS`.
"""

import random
import sys
import time

from django.db import transaction

from audit.actors import Actor
from audit.recorder import record
from audit.services.seal import seal
from audit.streamer import send_all

STREAMS = [f"person:{number}" for number in range(4)]


class TakenBack(Exception):
    """What was written in this transaction is not to stay."""


def write(seed: int, times: int) -> None:
    """Transactions of one to three events that take their time; every fifth or so is rolled back."""
    chance = random.Random(seed)
    for _ in range(times):
        try:
            with transaction.atomic():
                # Sorted, as rows are locked everywhere in one order.
                for stream in sorted(chance.sample(STREAMS, chance.randint(1, 3))):
                    record(type="signout", actor=Actor.person(seed, "session"), stream=stream)
                    time.sleep(chance.random() * 0.004)
                if chance.random() < 0.2:
                    raise TakenBack
        except TakenBack:
            continue


def keep_sealing(seconds: float) -> None:
    """Seal again and again until the time is up, or this process is killed."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        seal()
        time.sleep(0.01)


def keep_sending(seconds: float) -> None:
    """Send to the sinks of the settings again and again until the time is up, or this process is killed."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        send_all()
        time.sleep(0.01)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(int(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "seal":
        keep_sealing(float(sys.argv[2]))
    else:
        keep_sending(float(sys.argv[2]))
