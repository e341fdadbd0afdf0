"""Reading an effect back: the tool says that it is done, and what it did is looked for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import stamina
import structlog
from django.conf import settings
from pydantic import BaseModel

from agents import spans
from agents.execution import Done, Unknown
from agents.foreign_errors import told_of
from agents.tool_threads import bounded
from agents.tools import Tool, ToolContext

log = structlog.get_logger(__name__)

NOT_VERIFIED = "not_verified"


class _NotThere(Exception):
    """This look did not find it."""


def read_back(
    tool: Tool,
    ctx: ToolContext,
    arguments: BaseModel,
    done: Done,
    *,
    attempts: int | None = None,
    here: bool = False,
) -> Done | Unknown:
    """Look for the effect a few times, within the tool's time-out; what is not found is in doubt.

    `attempts`: as many as the settings say, unless given. `here`: on this thread, in the
    transaction that is open on it. A tool without a read-back is believed.
    """
    if tool.verifier is None:
        return done
    config = settings.COUNTERSIGN
    looks = stamina.retry_context(
        on=_NotThere,
        attempts=attempts or config.verify_attempts,
        timeout=tool.timeout_seconds,
        wait_initial=config.verify_backoff_seconds,
        wait_jitter=config.verify_backoff_seconds,
    )
    try:
        for look in looks:
            with look:
                if not _found(tool, ctx, arguments, done, here):
                    raise _NotThere
    except _NotThere:
        message = f"{tool.name} reported success, but reading it back did not find it."
        return Unknown(NOT_VERIFIED, message, reported=done.result, reference=done.reference)
    return replace(done, verified=True)


def _found(tool: Tool, ctx: ToolContext, arguments: BaseModel, done: Done, here: bool) -> bool:
    assert tool.verifier is not None
    try:
        look = tool.verifier if here else partial(bounded, tool, tool.verifier)
        with spans.tool_span(tool.name, "verify"):
            return look(ctx, arguments, done.value) is True
    # Foreign code; a look that fails has found nothing.
    except Exception as error:
        log.warning(
            "verify_raised", tool=tool.name, run=str(ctx.run_id), exc_info=told_of(tool, error)
        )
        return False
