"""Who does something: a person, an agent, or the system itself."""

from dataclasses import dataclass
from typing import Literal, Self


@dataclass(frozen=True)
class Actor:
    """The one who acts, as the log names them: never a name, always a kind and an id.

    `auth` says how the actor was known: `session`, `token:<id>`, or `none` where nobody signed in.
    """

    kind: Literal["person", "agent", "system"]
    id: str
    auth: str

    @classmethod
    def person(cls, pk: int | str, auth: str) -> Self:
        """A signed-in person; `auth` is `session` or `token:<id>`."""
        return cls("person", str(pk), auth)

    @classmethod
    def agent(cls, slug: str) -> Self:
        """A hosted agent, by its slug."""
        return cls("agent", slug, "none")

    @classmethod
    def system(cls, name: str) -> Self:
        """A part of the product that acts by itself, such as `sweeper` or `sign-in`."""
        return cls("system", name, "none")
