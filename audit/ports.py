"""What the log needs from the apps above it, as protocols: it imports none of them."""

from typing import Any, Protocol

from audit.actors import Actor


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
