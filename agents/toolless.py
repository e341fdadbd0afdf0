"""For commands that carry out no tool: they are given no tool's secret, and start without."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from django.core.management.base import BaseCommand

_carries_out_tools: ContextVar[bool] = ContextVar("carries_out_tools", default=True)


def tools_are_carried_out() -> bool:
    """Whether the process that is being checked needs what tools are given."""
    return _carries_out_tools.get()


class Toolless(BaseCommand):
    """Checks all that other commands check, except for what the environment gives to tools."""

    def carries_out_tools(self) -> bool:
        """Whether this process needs that after all."""
        return False

    def check(self, *args: Any, **options: Any) -> None:
        """As Django's: a mistake in an agent ends the command, a secret that is elsewhere does not."""
        before = _carries_out_tools.set(self.carries_out_tools())
        try:
            super().check(*args, **options)
        finally:
            _carries_out_tools.reset(before)
