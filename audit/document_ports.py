"""Documents that digests in events stand for: the apps that have them say so, and exports ask here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID


@dataclass(frozen=True)
class Reference:
    """A digest that an event speaks of: a whole document stands behind it.

    `name` is what the event calls it: `policy`, `agent`, or the name of the disclosure, such as
    `args_sha256`. `request` and `run` are the event's.
    """

    digest: str
    name: str
    request: UUID | None = None
    run: UUID | None = None


class Documents(Protocol):
    """An app whose documents the log knows by their digests."""

    def documents(self, references: Sequence[Reference], *, sensitive: bool) -> Mapping[str, bytes]:
        """The documents' bytes by their digests, as far as this app has them.

        Without `sensitive`, a document that holds what only some readers may see is left out.
        """
        ...


_documents: Final[list[Documents]] = []


def provide_documents(app: Documents) -> None:
    """An app says that it has documents; from its `ready`."""
    _documents.append(app)


def documents_for(references: Sequence[Reference], *, sensitive: bool) -> dict[str, bytes]:
    """The documents of all apps for these references, by digest."""
    found: dict[str, bytes] = {}
    for app in _documents:
        found.update(app.documents(references, sensitive=sensitive))
    return found
