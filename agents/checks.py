"""`manage.py check`: what is wrong with a declared agent, and what to change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import OperationalError, ProgrammingError

from agents import registry
from agents.tools import EffectClass
from agents.unpriced import describe_unpriced, unpriced_models
from audit.clock import database_now


@register("agents")
def check_agents(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Mistakes that a declaration alone does not show."""
    messages: list[CheckMessage] = []
    for agent in registry.all_agents():
        if not agent.owner:
            messages.append(
                Error(
                    f"Agent {agent.slug} has no owner.",
                    hint="Name a review group.",
                    id="agents.E001",
                )
            )
        for tool in agent.tools:
            if tool.effect_class is EffectClass.QUERYABLE and tool.looker is None:
                messages.append(
                    Error(
                        f"Tool {tool.name} is queryable and has no lookup.",
                        hint=f"Add @{tool.name}.lookup, or declare it opaque.",
                        id="agents.E002",
                    )
                )
        for example in agent.examples:
            try:
                agent.input.model_validate(example.input)
            except ValueError as error:
                messages.append(
                    Error(
                        f"Agent {agent.slug}: the example {example.title!r} does not fit its input.",
                        hint=str(error),
                        id="agents.E003",
                    )
                )
    return messages


@register("agents", Tags.database)
def check_prices(
    app_configs: Sequence[AppConfig] | None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """Models that agents ask and that nobody priced: asked only where the database is (`--database default`)."""
    if not databases:
        return []
    try:
        missing = unpriced_models(database_now())
    except (OperationalError, ProgrammingError):
        # Before the migrations there is no table to ask, and `migrate` runs these checks first.
        return []
    return [
        CheckWarning(describe_unpriced(model, slugs), id="agents.W001")
        for model, slugs in missing.items()
    ]
