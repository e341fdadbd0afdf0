"""Erasing and holding as it is done: one records keeper proposes, another confirms, a hold comes in between."""

import threading
from collections.abc import Callable

from django.db import connection, connections, transaction

from accounts.callers import Caller
from audit.errors import Refusal
from audit.record_keeping import Erasure, ErasureReason, HoldScope
from audit.services.hold import set_hold
from audit.services.redact import confirm_erasure, propose_erasure
from tests.audit.conftest import until
from tests.harness.people import person


def erase(subject: str) -> Erasure:
    """Erase a subject as two records keepers do."""
    one, other = (
        Caller.of_session(person(name, "records-keeper")) for name in ("keeper", "second-keeper")
    )
    proposed = propose_erasure(subject=subject, reason=ErasureReason.ASKED, caller=one)
    return confirm_erasure(erasure_id=proposed.pk, subject=subject, caller=other)


def came_to_while_held(act: Callable[[], object]) -> object:
    """What it comes to in another thread while a hold on everything is set and not yet committed: it waits for it."""
    keeper = Caller.of_session(person("keeper", "records-keeper"))
    came_to: list[object] = []

    def acted() -> None:
        try:
            came_to.append(act())
        except Refusal as refusal:
            came_to.append(refusal)
        finally:
            connections.close_all()

    thread = threading.Thread(target=acted)
    with transaction.atomic():
        set_hold(matter="case 17", why="A suit.", scope=HoldScope.EVERYTHING, caller=keeper)
        thread.start()
        until(_somebody_waits_for_the_holds, "it did not wait for the hold")
    thread.join()
    return came_to[0]


def _somebody_waits_for_the_holds() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_locks WHERE relation = 'audit_hold'::regclass AND NOT granted"
        )
        return cursor.fetchone() is not None
