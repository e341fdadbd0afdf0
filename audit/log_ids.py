"""The ids that log lines carry: of the request from outside, the job, the socket, the run and its step at hand.

They are bound to the context and not to a logger, so that lines of libraries carry them too; and only for a block,
so that none outlives the work that it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.contextvars import (
    bind_contextvars,
    clear_contextvars,
    get_contextvars,
    reset_contextvars,
)


@contextmanager
def beside(**ids: object) -> Iterator[None]:
    """Lines of the block carry these ids beside those that they carry already."""
    tokens = bind_contextvars(**ids)
    try:
        yield
    finally:
        reset_contextvars(**tokens)


@contextmanager
def only(*kept: str, **ids: object) -> Iterator[None]:
    """Lines of the block carry these ids and of those before only the ones that are named; afterwards they carry
    what they carried, whatever was bound in the block by whoever was called in it."""
    before = get_contextvars()
    clear_contextvars()
    bind_contextvars(**{name: before[name] for name in kept if name in before}, **ids)
    try:
        yield
    finally:
        clear_contextvars()
        bind_contextvars(**before)
