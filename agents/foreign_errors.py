"""What the log says of a tool's own code that raised."""

from __future__ import annotations

from agents.tools import Tool


class Unworded(Exception):
    """An error of which only the kind and the place are told."""


def told_of(tool: Tool, error: Exception) -> Exception:
    """The error for the log: as it is, or with its place and kind alone.

    Its words may repeat what the tool was given, or a part of it that nobody would know again, and a log
    has readers of its own.
    """
    if not (tool.sensitive or tool.secrets):
        return error
    kind = type(error).__name__
    return Unworded(f"{kind}; its words could repeat what is sensitive or secret").with_traceback(
        error.__traceback__
    )
