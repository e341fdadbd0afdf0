"""Calling a tool's function, and saying in three words how it went: done, failed, or unknown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

import structlog
from pydantic import BaseModel

from agents import span_content, spans
from agents.counted import TOOL_ERRORS, TOOL_SECONDS
from agents.foreign_errors import told_of
from agents.storable import storable
from agents.tool_threads import TimedOut, bounded
from agents.tools import Accepted, Retryable, Terminal, Tool, ToolContext, Trust
from audit import tracing
from audit.fault_points import reached

log = structlog.get_logger(__name__)

LONGEST_REFERENCE = 200


@dataclass(frozen=True)
class Done:
    """The call returned a valid result: in its JSON form, and as the tool's own type.

    `verified`: what it did was read back and found. `reference`: its provider has only accepted it,
    under that name.
    """

    result: Any
    value: Any = None
    verified: bool = False
    reference: str = ""


@dataclass(frozen=True)
class Failed:
    """The call did nothing; `message` is for the model to read. `trust` is that of the tool's own words;
    None where they are ours."""

    code: str
    message: str
    retryable: bool = False
    trust: Trust | None = None


@dataclass(frozen=True)
class Unknown:
    """Whether the call did something is not known.

    `reported`: the result that it gave all the same; `reference`: its provider's name for it, which a
    callback may give.
    """

    code: str
    message: str
    reported: Any = None
    reference: str = ""


CallOutcome = Done | Failed | Unknown


def call_tool(
    tool: Tool, ctx: ToolContext, arguments: BaseModel, *, here: bool = False
) -> CallOutcome:
    """Call the function once and classify what happened.

    `Retryable` and `Terminal` are the tool's word that nothing happened. Any other exception of a
    consequential tool leaves the outcome unknown, and so does the end of its time; a read has merely
    failed. `here`: on this thread, in its transaction, which then bounds the time.
    """
    with spans.tool_span(tool.name) as made:
        span_content.given(made, tool, arguments)
        began = monotonic()
        outcome = _called(tool, ctx, arguments, here=here)
        TOOL_SECONDS.add(tool.name, took=monotonic() - began)
        if isinstance(outcome, Done):
            span_content.gave(made, outcome.result)
        else:
            TOOL_ERRORS.add(tool.name, outcome.code)
            tracing.fail(made, outcome.code)
        return outcome


def _called(tool: Tool, ctx: ToolContext, arguments: BaseModel, *, here: bool) -> CallOutcome:
    try:
        # Bound to this thread a call may join the transaction that is open on it.
        call = tool.function if here else partial(bounded, tool, tool.function)
        value = call(ctx, arguments)
        reached("call.returned")
    except Retryable as error:
        trust = error.trust or tool.trust
        return Failed("retryable", storable(str(error)), retryable=True, trust=trust)
    except Terminal as error:
        return Failed("refused_by_tool", storable(str(error)), trust=error.trust or tool.trust)
    except TimedOut as error:
        message = f"{tool.name} took longer than {error.seconds:g} seconds."
        return Unknown("timed_out", message) if tool.consequential else Failed("timed_out", message)
    # Any exception of foreign code: what it means is decided by the tool's class, never swallowed.
    except Exception as error:
        log.warning(
            "tool_raised", tool=tool.name, run=str(ctx.run_id), exc_info=told_of(tool, error)
        )
        message = f"{tool.name} failed unexpectedly ({type(error).__name__})."
        return (
            Unknown("tool_raised", message)
            if tool.consequential
            else Failed("tool_raised", message)
        )
    return _validated(tool, value)


def _validated(tool: Tool, value: Any) -> CallOutcome:
    reference = ""
    try:
        if isinstance(value, Accepted):
            value, reference = value.result, _reference(tool, value)
        valid = tool.result.validate_python(value)
        result = storable(tool.result.dump_python(valid, mode="json"))
    # Foreign types and serialisers; whatever they raise, the call has been made.
    except Exception as error:
        log.warning("result_invalid", tool=tool.name, exc_info=told_of(tool, error))
        message = f"{tool.name} returned something else than it declares."
        return (
            Unknown("result_invalid", message)
            if tool.consequential
            else Failed("result_invalid", message)
        )
    return Done(result, valid, reference=reference)


def _reference(tool: Tool, accepted: Accepted[Any]) -> str:
    """The provider's name for what it accepted; ValueError when nobody could ever confirm it."""
    reference = str(storable(str(accepted.reference)))
    if not tool.callback or not 1 <= len(reference) <= LONGEST_REFERENCE:
        raise ValueError("accepted, and no callback could name it")
    return reference


def look_up(tool: Tool, ctx: ToolContext, arguments: BaseModel) -> CallOutcome:
    """Ask a queryable tool whether the call with this key happened. Only a positive answer settles."""
    assert tool.looker is not None
    try:
        with spans.tool_span(tool.name, "look_up"):
            value = bounded(tool, tool.looker, ctx, arguments)
    # A lookup that fails has told us nothing.
    except Exception as error:
        log.warning(
            "lookup_raised", tool=tool.name, run=str(ctx.run_id), exc_info=told_of(tool, error)
        )
        return Unknown("lookup_failed", f"{tool.name} could not be asked ({type(error).__name__}).")
    if value is None:
        return Unknown(
            "not_found_yet", f"{tool.name} does not know of the call; it may still arrive."
        )
    return _validated(tool, value)
