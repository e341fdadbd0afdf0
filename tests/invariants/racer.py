"""A process of its own that does one thing at a given moment, again and again: one side of a race.

It reads lines of JSON: what to prepare, then when to do it, by the machine's monotonic clock.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from tests.invariants.doors import Door

Move = Callable[[], dict[str, Any]]


class Racer:
    """What this process can do. Doors stay open from round to round."""

    def __init__(self) -> None:
        self.doors: dict[tuple[str, int], Door] = {}

    def start_over(self) -> None:
        """Forget everything: the database is another one."""
        from django.db import connections

        connections.close_all()
        self.doors.clear()

    def prepare(self, order: dict[str, Any]) -> Move:
        """Everything but the deed itself."""
        from django.db import connection

        connection.ensure_connection()
        move: Move = getattr(self, order.pop("do"))(**order)
        return move

    def door(self, kind: str, person: int) -> Door:
        from accounts.models import User
        from tests.invariants.doors import DOORS

        if (kind, person) not in self.doors:
            made = next(door for door in DOORS if door.kind == kind)
            self.doors[kind, person] = made(User.objects.get(pk=person))
        return self.doors[kind, person]

    def decide(
        self,
        kind: str,
        person: int,
        request: str,
        seen: dict[str, Any],
        verdict: str,
        body: dict[str, Any],
    ) -> Move:
        """A verdict through a door."""
        from tests.invariants.doors import Answer, Seen

        door = self.door(kind, person)

        def move() -> dict[str, Any]:
            answer: Answer = door.decide(UUID(request), Seen(**seen), verdict, **body)
            return _told(answer)

        return move

    def act(self, kind: str, person: int, request: str, act: str, body: dict[str, Any]) -> Move:
        """Claim, take back, extend: through a door."""
        door = self.door(kind, person)
        return lambda: _told(door.do(UUID(request), act, **body))

    def expire(self, request: str) -> Move:
        """What the scheduler does to a request whose time is over."""
        from approvals.services.expire import past_deadline

        return lambda: {"moved": past_deadline(UUID(request))}

    def advance(self, run: str) -> Move:
        """What a worker does to a run that is ready: one call, if it may be made."""
        from agents.runner import advance
        from tests.invariants.racing import BOOKS

        def move() -> dict[str, Any]:
            before = len(BOOKS.sent)
            ours = advance(UUID(run), owner="racer", stopping=lambda: True)
            return {"moved": ours, "sent": len(BOOKS.sent) - before}

        return move

    def cancel(self, person: int, run: str) -> Move:
        """An operator ends the run."""
        from accounts.callers import Caller
        from accounts.models import User
        from agents.services.control import cancel_run

        caller = Caller.of_session(User.objects.get(pk=person))
        return lambda: _tried(lambda: cancel_run(run_id=UUID(run), reason="", caller=caller))

    def change_goal(self, person: int, run: str) -> Move:
        """An operator gives the run another task."""
        from accounts.callers import Caller
        from accounts.models import User
        from agents.services.change_goal import change_goal

        caller = Caller.of_session(User.objects.get(pk=person))
        return lambda: _tried(
            lambda: change_goal(run_id=UUID(run), text="Pay nothing.", caller=caller)
        )

    def publish(self, rules: list[dict[str, Any]]) -> Move:
        """A policy comes into force."""
        from tests.invariants.ruling import in_force

        return lambda: _tried(lambda: in_force(*rules))

    def lose_role(self, person: int) -> Move:
        """An admin takes the right to decide away."""
        from accounts.models import User
        from accounts.services.set_roles import set_roles
        from audit.actors import Actor

        user = User.objects.get(pk=person)
        system = Actor.system("test")
        return lambda: _tried(lambda: set_roles(person=user, roles=["operator"], caller=system))


def _tried(deed: Callable[[], object]) -> dict[str, Any]:
    from audit.errors import Refusal

    try:
        deed()
    except Refusal as refusal:
        return {"moved": False, "code": refusal.code}
    return {"moved": True}


def _told(answer: Any) -> dict[str, Any]:
    return {
        "moved": answer.taken,
        "status": answer.status,
        "text": answer.text,
        "code": answer.code,
        "params": answer.params,
    }


def say(line: str) -> None:
    """One line to the other end, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the other end closes."""
    import django

    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()
    from agents import registry
    from tests.invariants.racing import TELLER

    registry.register(TELLER)
    racer = Racer()
    say("here")
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start_over":
            racer.start_over()
            say("over")
            continue
        move = racer.prepare(order)
        say("ready")
        at = float(sys.stdin.readline())
        # No other wait is as exact: the two of a race start within microseconds.
        while time.monotonic() < at:
            pass
        say(json.dumps(move()))


if __name__ == "__main__":
    main()
