"""What the log needs from the apps above it, as protocols: it imports none of them."""

from collections.abc import Callable
from typing import Any, Protocol

import structlog

from audit.actors import Actor

log = structlog.get_logger(__name__)


class Person(Protocol):
    """A signed-in person, as far as the log asks."""

    @property
    def is_active(self) -> bool: ...

    def has_perm(self, perm: str) -> bool: ...


class Caller(Protocol):
    """Who asks, in the browser or through a token."""

    @property
    def user(self) -> Any: ...

    @property
    def actor(self) -> Actor: ...

    def require(self, permission: Any, *, scope: Any) -> None:
        """Raises a `Forbidden` unless the account holds the permission and the way in the scope."""
        ...

    def may(self, permission: Any, scope: Any) -> bool:
        """Whether `require` would let it pass."""
        ...

    def holds(self, permission: Any) -> bool:
        """Whether the account has the permission, whatever the way in."""
        ...


_raised_by: list[Callable[[str, str], object]] = []


def raise_alarms_with(tell: Callable[[str, str], object]) -> None:
    """Let the app that knows people tell those who administer: it is given a subject and a text."""
    _raised_by[:] = [tell]


def alarm(subject: str, text: str) -> None:
    """Tell those who administer. What keeps them from being told is logged: the alarm stands elsewhere too."""
    for tell in _raised_by:
        try:
            tell(subject, text)
        except Exception:
            log.exception("alarm_not_sent", subject=subject)
