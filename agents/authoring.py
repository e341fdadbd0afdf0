"""What an author of agents imports: `from agents.authoring import Agent, tool, …`.

Declare agents in `agents.py` of any installed Django app; they are found by autodiscovery.
`ask_human`, `read_result`, `abstain` and `final_answer` are offered to every agent without being listed,
`delegate` to one with `delegates`, `remember` and `recall` to one with `memory=True`.
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
from agents.workflow import (
    Abstain,
    AskModel,
    AskPerson,
    Call,
    Done,
    FlowContext,
    Go,
    Move,
    Outcome,
    Workflow,
)
from approvals.schemas import Cell, Fact, Link, Message, Preview, RowChange, TextChange
from approvals.vocabulary import Effect, Risk

__all__ = [
    "Abstain",
    "Accepted",
    "Agent",
    "Answer",
    "AskModel",
    "AskPerson",
    "Asserts",
    "Budget",
    "Call",
    "Category",
    "Cell",
    "DefinitionError",
    "Done",
    "Effect",
    "EffectClass",
    "Example",
    "Fact",
    "FlowContext",
    "Go",
    "Link",
    "Message",
    "Move",
    "Outcome",
    "Path",
    "Preview",
    "Rate",
    "Retryable",
    "Risk",
    "Route",
    "RowChange",
    "Terminal",
    "TextChange",
    "TextInput",
    "Tool",
    "ToolContext",
    "Trust",
    "Workflow",
    "tool",
]
