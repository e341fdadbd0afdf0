"""What an agent's and a tool's declaration must fulfil to work at all; refused where it is declared. Pure.

What takes more to see than the declaration (other apps, the environment, the code of its functions) is
looked for by `agents.checks`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agents.mistakes import Mistake
from agents.strict_schemas import open_objects
from approvals.vocabulary import Risk

if TYPE_CHECKING:
    from pydantic import BaseModel

    from agents.definitions import Agent
    from agents.tools import Tool

SLUG = re.compile(r"[a-z][a-z0-9-]{1,62}", re.ASCII)
LEAST_CONTEXT_TOKENS = 1_000
TOOL_NAME = re.compile(r"[a-z][a-z0-9_]{1,62}", re.ASCII)
PROVIDER = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
SECRET = re.compile(r"(?!key$)[a-z][a-z0-9_]{0,62}", re.ASCII)
RESERVED = ("confidence", "rationale")


def mistakes_of_agent(agent: Agent, built_in: frozenset[str]) -> Iterator[Mistake]:
    """What is wrong with an agent and with the tools as it lists them."""
    if not SLUG.fullmatch(agent.slug):
        yield Mistake(
            "agents.E005",
            f"Agent {agent.slug!r}: the slug cannot be used.",
            "Use lower-case letters, digits and hyphens, at most 63.",
        )
    if not agent.title.strip() or not agent.title.isprintable():
        yield Mistake(
            "agents.E006",
            f"Agent {agent.slug}: its title holds a character that cannot be seen, or nothing.",
            "Give it a title in plain letters.",
        )
    if not SLUG.fullmatch(agent.owner):
        yield Mistake(
            "agents.E001",
            f"Agent {agent.slug} has no owner."
            if not agent.owner
            else f"Agent {agent.slug}: {agent.owner!r} is no slug of a review group.",
            'Name the review group that answers for it, such as owner="finance".',
        )
    if agent.context_tokens < LEAST_CONTEXT_TOKENS:
        yield Mistake(
            "agents.E030",
            f"Agent {agent.slug}: context_tokens are too few for any request.",
            f"Name at least {LEAST_CONTEXT_TOKENS:,}.",
        )
    yield from _kind_of(agent)
    yield from _names_of(agent, built_in)
    yield from _delegates_of(agent)
    for tool in agent.tools:
        yield from _mistakes_as_listed(tool)
        yield from _served_elsewhere(agent, tool)


def _served_elsewhere(agent: Agent, tool: Tool) -> Iterator[Mistake]:
    """Only an open agent uses tools of MCP servers, and only as they are pinned."""
    if tool.served is None:
        return
    if agent.category != "open":
        yield Mistake(
            "agents.E105",
            f"Agent {agent.slug} is {agent.category} and uses {tool.name} of the MCP server "
            f"{tool.served.server}.",
            "Make it Category.OPEN, or take the tool away.",
            tool.served.where,
        )
    if tool.served.problem:
        yield Mistake(
            "agents.E106",
            f"Tool {tool.name} of the MCP server {tool.served.server}: {tool.served.problem}.",
            "Run manage.py sync_mcp, and read what it writes; or take the tool away.",
            tool.served.where,
        )


def _kind_of(agent: Agent) -> Iterator[Mistake]:
    if not hasattr(agent.category, "value"):
        yield Mistake(
            "agents.E007",
            f"Agent {agent.slug}: {agent.category!r} is no category.",
            "Take Category.WORKFLOW, Category.BOUNDED or Category.OPEN.",
        )
    for model, what in ((agent.input, "input"), (agent.output, "output")):
        if model.model_config.get("extra") != "forbid":
            yield Mistake(
                "agents.E008",
                f"Agent {agent.slug}: its {what} model takes fields that it does not name.",
                f'Give {model.__name__} the line model_config = ConfigDict(extra="forbid").',
            )
        yield from _open_within(f"Agent {agent.slug}: its {what} model", model)


def _open_within(holder: str, model: type[BaseModel]) -> Iterator[Mistake]:
    """Models within a model that would drop, unseen, what they do not name."""
    for name in open_objects(model.model_json_schema()):
        yield Mistake(
            "agents.E032",
            f"{holder} holds {name}, which takes fields that it does not name.",
            f'Give {name} ConfigDict(extra="forbid") as well; a field of any names is a dict[str, …].',
        )


def _delegates_of(agent: Agent) -> Iterator[Mistake]:
    for slug in dict.fromkeys(agent.delegates):
        if not SLUG.fullmatch(slug) or list(agent.delegates).count(slug) > 1:
            yield Mistake(
                "agents.E025",
                f"Agent {agent.slug}: it cannot hand work to {slug!r}.",
                "Name each agent in delegates once, by its slug.",
            )


def _names_of(agent: Agent, built_in: frozenset[str]) -> Iterator[Mistake]:
    names = [tool.name for tool in agent.tools]
    for name in dict.fromkeys(names):
        if name in built_in:
            yield Mistake(
                "agents.E009", f"Agent {agent.slug}: {name} is a built-in tool.", "Rename yours."
            )
        if not TOOL_NAME.fullmatch(name):
            yield Mistake(
                "agents.E009",
                f"Agent {agent.slug}: the tool name {name!r} cannot be used.",
                "Use lower_snake_case, at most 63 characters.",
            )
        if names.count(name) > 1:
            yield Mistake(
                "agents.E010", f"Agent {agent.slug}: two tools are called {name}.", "Rename one."
            )
    for name in sorted(agent.undos.keys() & set(names)):
        yield Mistake(
            "agents.E010",
            f"Agent {agent.slug}: {name} is the undo of another tool.",
            "Rename yours.",
        )


def _mistakes_as_listed(tool: Tool) -> Iterator[Mistake]:
    """What its decorators, which come after the tool, may have left out."""
    if tool.risk.rank >= Risk.HIGH.rank and tool.previewer is None:
        yield Mistake(
            "agents.E011",
            f"Tool {tool.name}: a {tool.risk} risk tool needs a preview.",
            f"Write what will happen in a function (ctx, arguments) -> Preview under @{tool.name}.preview.",
            tool.where,
        )
    if tool.effect_class == "queryable" and tool.looker is None:
        yield Mistake(
            "agents.E002",
            f"Tool {tool.name}: a queryable tool needs a lookup.",
            f"Add @{tool.name}.lookup, or declare it opaque.",
            tool.where,
        )
    for what, function in (("read back", tool.verifier), ("undo", tool.compensation)):
        if function is not None and not tool.consequential:
            yield Mistake(
                "agents.E012",
                f"Tool {tool.name}: a read has nothing to {what}.",
                "Declare its effects, or take that function away.",
                tool.where,
            )


def mistakes_of_tool(tool: Tool) -> Iterator[Mistake]:
    """What is wrong with a tool's own declaration."""
    yield from _open_within(f"Tool {tool.name}: {tool.arguments.__name__}", tool.arguments)
    fields = set(tool.arguments.model_fields)
    for name in RESERVED:
        if name in fields:
            yield Mistake(
                "agents.E014", f"Tool {tool.name}: {name} is added to every tool.", "Rename yours."
            )
    for group in ("identity", "sensitive", "cosmetic"):
        if unknown := getattr(tool, group) - fields:
            yield Mistake(
                "agents.E015",
                f"Tool {tool.name}: {group} names {', '.join(sorted(unknown))}, not in the arguments.",
                f"The arguments are {', '.join(sorted(fields)) or 'none'}.",
            )
    if tool.callback and not PROVIDER.fullmatch(tool.callback):
        yield Mistake(
            "agents.E016",
            f"Tool {tool.name}: {tool.callback!r} cannot be a callback's provider.",
            "Please name the provider in lower-case letters, digits and hyphens.",
        )
    if tool.repeatable and tool.consequential:
        yield Mistake(
            "agents.E024",
            f"Tool {tool.name}: only a read may be declared repeatable.",
            "Take repeatable away, or its risk and effects.",
        )
    for secret in sorted(tool.secrets):
        if not SECRET.fullmatch(secret):
            yield Mistake(
                "agents.E017",
                f"Tool {tool.name}: no variable could give a secret called {secret!r}.",
                "Name it in lower_snake_case, and not just key.",
            )
    if not (tool.timeout_seconds > 0 and math.isfinite(tool.timeout_seconds)):
        yield Mistake(
            "agents.E018",
            f"Tool {tool.name}: it may take {tool.timeout_seconds} seconds.",
            "Give timeout_seconds a number above 0.",
        )
