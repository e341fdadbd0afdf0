"""`manage.py check`: what is wrong with a declared agent, and what to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import OperationalError, ProgrammingError
from pydantic import ValidationError

from agents import registry
from agents.definitions import Agent
from agents.effect_rules import belied_classes
from agents.flow_checks import mistakes_of_flow
from agents.mistakes import Mistake
from agents.proposals import describe_errors
from agents.tool_secrets import missing_secrets, variable_of
from agents.toolless import tools_are_carried_out
from agents.tools import Tool
from agents.unpriced import WHAT_TO_DO, asked_models, describe_unpriced, unpriced_models
from audit.clock import database_now


@register("agents")
def check_agents(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """What was refused where it was declared, and mistakes that a declaration alone does not show."""
    found = [*registry.mistakes(), *_mistakes_of_installed(), *_default_unnamed()]
    return [
        Error(each.what, hint=each.hint, obj=each.where or None, id=each.id)
        for each in dict.fromkeys(found)
    ]


def _not_given(tool: Tool) -> Iterator[Mistake]:
    """What the tool needs of the environment of a process that carries it out."""
    yield from _server_of(tool)
    for secret in missing_secrets(tool):
        yield Mistake(
            "agents.E023",
            f"Tool {tool.name}: its secret {secret} is not set, so no call of it would run.",
            f"Set {variable_of(secret)} for web and worker processes.",
            tool.where,
        )


def _mistakes_of_installed() -> Iterator[Mistake]:
    for agent in registry.all_agents():
        yield from _examples_of(agent)
        yield from _delegates_of(agent)
        for tool in agent.tools:
            yield from belied_classes(tool)
            if tools_are_carried_out():
                yield from _not_given(tool)
        yield from mistakes_of_flow(agent)


def _server_of(tool: Tool) -> Iterator[Mistake]:
    """The MCP server that carries the tool out has to be named, and its secrets set."""
    if tool.served is None:
        return
    config, name = settings.COUNTERSIGN, tool.served.server
    server = config.mcp_servers.get(name)
    if server is None:
        yield Mistake(
            "agents.E108",
            f"Tool {tool.name}: no setting names the MCP server {name}.",
            "Name it in COUNTERSIGN_MCP_SERVERS, for workers of resumes and runs.",
            tool.served.where,
        )
        return
    for secret in sorted(server.secrets - config.tool_secrets.keys()):
        yield Mistake(
            "agents.E023",
            f"The MCP server {name}: its secret {secret} is not set, so it would not be asked.",
            f"Set {variable_of(secret)} for web and worker processes.",
        )


def _default_unnamed() -> Iterator[Mistake]:
    """A server is given and no model: every call would be refused there."""
    config = settings.COUNTERSIGN
    slugs = asked_models().get("", [])
    if slugs and (config.openai_base_url or config.openai_api_key):
        yield Mistake(
            "agents.E034",
            f"OPENAI_BASE_URL or OPENAI_API_KEY is set, and no model: {', '.join(slugs)} would ask none.",
            "Set OPENAI_MODEL to one of that server's, or name models in the agents.",
        )


def _delegates_of(agent: Agent) -> Iterator[Mistake]:
    for slug in agent.delegates:
        if registry.find(slug) is None:
            yield Mistake(
                "agents.E026",
                f"Agent {agent.slug} hands work to {slug}, which no installed app declares.",
                "Install the app that declares it, or take it out of delegates.",
            )


def _examples_of(agent: Agent) -> Iterator[Mistake]:
    for example in agent.examples:
        try:
            agent.input.model_validate(example.input)
        except ValidationError as error:
            yield Mistake(
                "agents.E003",
                f"Agent {agent.slug}: the example {example.title!r} does not fit its input.",
                f"Change the example, or the input model. {describe_errors(error)}",
            )


@register("agents", Tags.database)
def check_prices(
    app_configs: Sequence[AppConfig] | None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """Models that agents ask and that nobody priced: asked only where the database is (`--database default`).

    `migrate` works as another login and is not stopped by it: what sets a price comes after it.
    """
    if not databases or "default" not in databases:
        return []
    try:
        missing = unpriced_models(database_now())
    except (OperationalError, ProgrammingError):
        # Before the migrations there is no table to ask.
        return []
    return [
        Error(describe_unpriced(model, slugs), hint=WHAT_TO_DO, id="agents.E031")
        for model, slugs in missing.items()
    ]
