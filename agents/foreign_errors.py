"""What the log says of an author's own code that raised: a tool's, or the state's of a workflow."""

from __future__ import annotations

from collections.abc import Iterable

from agents.tools import Tool


class Unworded(Exception):
    """An error of which only the kind and the place are told."""


def told_of(tool: Tool, error: Exception) -> Exception:
    """The error for the log: as it is, or with its place and kind alone.

    Its words may repeat what the tool was given, or a part of it that nobody would know again, and a log
    has readers of its own.
    """
    return told_of_state([tool], error)


def told_of_state(tools: Iterable[Tool], error: Exception) -> Exception:
    """The same for code that knows what all these tools were given."""
    if not any(tool.sensitive or tool.secrets for tool in tools):
        return error
    kind = type(error).__name__
    return Unworded(f"{kind}; its words could repeat what is sensitive or secret").with_traceback(
        error.__traceback__
    )
