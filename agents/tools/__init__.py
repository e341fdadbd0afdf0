"""Tools: typed functions that an agent may propose to call.

A tool never decides whether it may run. It declares what it does (risk, effects, effect class) and offers
what people and the engine need to judge it: a preview, a state token, locks, a lookup, a read-back.
"""

from agents.tools.declared import Tool, UndoDeclared, place_of, plain_preview
from agents.tools.declaring import tool
from agents.tools.terms import (
    Accepted,
    EffectClass,
    Retryable,
    Terminal,
    ToolContext,
    Trust,
    Undone,
)

__all__ = [
    "Accepted",
    "EffectClass",
    "Retryable",
    "Terminal",
    "Tool",
    "ToolContext",
    "Trust",
    "UndoDeclared",
    "Undone",
    "place_of",
    "plain_preview",
    "tool",
]
