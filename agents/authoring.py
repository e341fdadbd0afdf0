"""What an author of agents imports: `from agents.authoring import Agent, tool, …`.

Declare agents in `agents.py` of any installed Django app; they are found by autodiscovery.
`ask_human`, `abstain` and `final_answer` are offered to every agent without being listed.
"""

from agents.asserts import Asserts
from agents.definitions import Agent, Answer, Budget, Category, Example, TextInput
from agents.mistakes import DefinitionError
from agents.rates import Rate
from agents.routes import Path, Route
from agents.tools import (
    Accepted,
    EffectClass,
    Retryable,
    Terminal,
    Tool,
    ToolContext,
    Trust,
    tool,
)
from approvals.schemas import Cell, Fact, Preview, RowChange
from approvals.vocabulary import Effect, Risk

__all__ = [
    "Accepted",
    "Agent",
    "Answer",
    "Asserts",
    "Budget",
    "Category",
    "Cell",
    "DefinitionError",
    "Effect",
    "EffectClass",
    "Example",
    "Fact",
    "Path",
    "Preview",
    "Rate",
    "Retryable",
    "Risk",
    "Route",
    "RowChange",
    "Terminal",
    "TextInput",
    "Tool",
    "ToolContext",
    "Trust",
    "tool",
]
