"""What the log needs from the apps above it, as protocols: it imports none of them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast
from uuid import UUID

import structlog
from django.http import HttpRequest
from django.utils import translation

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


def caller_of(request: HttpRequest) -> Caller:
    """Who asks, behind a door that lets no anonymous visitor in: the app of people has looked."""
    return cast(Caller, request.caller)  # type: ignore[attr-defined]


#: Says subject and text of an alarm, in the language that is spoken when it is called.
Alarm = Callable[[], tuple[str, str]]

_raised_by: list[Callable[[Alarm], object]] = []


def raise_alarms_with(tell: Callable[[Alarm], object]) -> None:
    """Let the app that knows people tell those who administer, each in their own language."""
    _raised_by[:] = [tell]


def alarm(say: Alarm) -> None:
    """Tell those who administer. What keeps them from being told is logged: the alarm stands elsewhere too."""
    with translation.override(None):
        subject, _ = say()
    for tell in _raised_by:
        try:
            tell(say)
        except Exception:
            log.exception("alarm_not_sent", subject=subject)


@dataclass(frozen=True)
class Stated:
    """What one row of another app says: its id, the request, run or stream whose events speak of it, and how it stands.

    `digests` are what its last event binds, by the names of disclosures; `what` calls it in a sentence.
    """

    id: UUID | int
    owner: UUID | str
    what: str
    state: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)


class Ledger(Protocol):
    """Rows of another app that must agree with the log, both ways."""

    what: str
    """What they are called: `requests`."""
    types: frozenset[str]
    """The event types that speak of them."""
    owner: Literal["request", "run", "stream"]
    """The column of events by which those about a row are found."""

    def counted(self, number: int) -> str:
        """So many of them in words, with `{number}` for how many: `{number} requests`."""
        ...

    def rows(self) -> Iterator[Sequence[Stated]]:
        """Every row, some at a time."""
        ...

    def named_in(self, body: Mapping[str, Any]) -> str | None:
        """The id of the row that an event speaks of."""
        ...

    def after(self, state: str, body: Mapping[str, Any]) -> str:
        """How the row stands after an event, by what the event says."""
        ...

    def agree(self, stated: str, logged: str) -> bool:
        """Whether both words are about the same state: some moves of a row are no events."""
        ...

    def there(self, ids: Collection[str]) -> set[str]:
        """Those of the ids, as events name them, that have a row."""
        ...


_ledgers: dict[type[Ledger], Ledger] = {}


def reconcile_with(ledger: Ledger) -> None:
    """Have `audit_fsck` hold these rows against the log; called in `AppConfig.ready` of the app that has them,
    which may be said again."""
    _ledgers[type(ledger)] = ledger


def ledgers() -> Sequence[Ledger]:
    """The rows that are held against the log."""
    return tuple(_ledgers.values())
