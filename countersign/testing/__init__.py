"""For tests of agents: script a model, run an agent until it waits, decide as a person, look at what came of it.

The conftest.py of an app names the plugin `countersign.testing.plugin`, whose fixture `desk` is a `Desk`.
"""

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
    "Desk",
    "ModelServer",
    "Script",
    "Trial",
    "call",
    "calls",
    "completion",
    "error",
    "final",
    "judged",
    "says",
]


def __getattr__(name: str) -> object:
    """Desk and Trial read models, which exist only once Django is set up."""
    if name in ("Desk", "Trial"):
        from countersign.testing import desk

        return getattr(desk, name)
    raise AttributeError(name)
