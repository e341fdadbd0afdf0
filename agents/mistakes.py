"""What is wrong with a declaration, and what to change. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

GENERAL = "agents.E004"


@dataclass(frozen=True)
class Mistake:
    """`what` is wrong and `hint` what to change, in sentences; `id` as `manage.py check` names it.

    `where` is a file and line, where it is known.
    """

    id: str
    what: str
    hint: str = ""
    where: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".strip()


class DefinitionError(Exception):
    """An agent or tool is declared in a way that cannot work; the text says what to change."""

    def __init__(self, *mistakes: Mistake | str) -> None:
        self.mistakes = tuple(
            each if isinstance(each, Mistake) else Mistake(GENERAL, each) for each in mistakes
        )
        super().__init__("\n".join(map(str, self.mistakes)))


def refuse(mistakes: Iterable[Mistake]) -> None:
    """Raise DefinitionError with all of them, if there are any."""
    found = tuple(mistakes)
    if found:
        raise DefinitionError(*found)
