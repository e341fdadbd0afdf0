"""Effect classes that a tool's own functions belie, as far as their code shows it. Pure."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin, get_type_hints

from agents.mistakes import Mistake
from agents.tools import Accepted, EffectClass, Tool, place_of

KEY = "idempotency_key"


def belied_classes(tool: Tool) -> Iterator[Mistake]:
    """What a tool promises of its effects, and its functions cannot keep."""
    if tool.effect_class is EffectClass.IDEMPOTENT and tool.consequential:
        yield from _key_is_sent(tool, tool.function, tool.name)
    undo = tool.undo_declared
    if undo is not None and undo.effect_class is EffectClass.IDEMPOTENT and tool.compensation:
        yield from _key_is_sent(tool, tool.compensation, f"the undo of {tool.name}")
    if tool.looker is not None and tool.effect_class is not EffectClass.QUERYABLE:
        yield Mistake(
            "agents.E021",
            f"Tool {tool.name}: it has a lookup and is {tool.effect_class}, so nobody asks it.",
            "Declare it EffectClass.QUERYABLE, or take the lookup away.",
            place_of(tool.looker),
        )
    accepts = _names_accepted(get_type_hints(tool.function).get("return"))
    if accepts and not tool.callback:
        yield Mistake(
            "agents.E022",
            f"Tool {tool.name}: it returns Accepted, and nobody could confirm it.",
            'Name the provider whose callbacks do: @tool(callback="…").',
            tool.where,
        )
    if tool.callback and not accepts:
        yield Mistake(
            "agents.E022",
            f"Tool {tool.name}: its callbacks confirm what it accepted, and it never returns Accepted.",
            "Annotate the result as Accepted[…], or take callback away.",
            tool.where,
        )


def _key_is_sent(tool: Tool, function: Callable[..., Any], called: str) -> Iterator[Mistake]:
    if _may_read(function, KEY):
        return
    yield Mistake(
        "agents.E020",
        f"Tool {tool.name}: {called} is declared idempotent and never looks at ctx.{KEY}, so a call that "
        "is sent again does it again.",
        f"Send ctx.{KEY} along to a provider that accepts it; else declare it queryable (with a lookup) "
        "or opaque.",
        place_of(function),
    )


def _may_read(function: Callable[..., Any], attribute: str) -> bool:
    """Whether the function reads the attribute of its first parameter, or hands that on; yes, where
    nobody can see."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return True
    made = next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), None)
    if made is None or made.name != function.__name__ or not made.args.args:
        return True
    first = made.args.args[0].arg
    looked_at = {
        id(node.value): node.attr for node in ast.walk(made) if isinstance(node, ast.Attribute)
    }
    uses = [node for node in ast.walk(made) if isinstance(node, ast.Name) and node.id == first]
    # A use that looks at no attribute hands the context on to somebody who may.
    return any(looked_at.get(id(node), attribute) == attribute for node in uses)


def _names_accepted(hint: Any) -> bool:
    return get_origin(hint) is Accepted or any(_names_accepted(each) for each in get_args(hint))
