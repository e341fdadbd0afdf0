"""The scripted model server of the tests, which authors of agents use as well."""

from countersign.testing import model
from countersign.testing.model import (
    Answer,
    Script,
    call,
    calls,
    completion,
    error,
    final,
    judged,
    says,
)
from tests.harness.ports import is_free, lasting_port

__all__ = [
    "Answer",
    "ModelServer",
    "Script",
    "call",
    "calls",
    "completion",
    "error",
    "final",
    "judged",
    "says",
]

_ports: list[int] = []


class ModelServer(model.ModelServer):
    """On one of a few ports that are used one after the other: the processes of stacks with equal settings then
    read the same environment, and are forked from what has read it already."""

    def __init__(self, script: Script = ()) -> None:
        while _ports and not is_free(_ports[-1]):
            _ports.pop()
        self._port = _ports.pop() if _ports else lasting_port()
        super().__init__(script, port=self._port)

    def close(self) -> None:
        super().close()
        _ports.append(self._port)
