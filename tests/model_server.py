"""The scripted model server of the tests, which authors of agents use as well."""

from countersign.testing.model import (
    Answer,
    ModelServer,
    Script,
    call,
    calls,
    completion,
    error,
    final,
    judged,
    says,
)

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
