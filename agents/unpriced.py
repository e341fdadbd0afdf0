"""Which of the models that agents ask have no price: what is free must be said to be."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext

from agents import registry
from agents.endpoints import endpoint_of
from agents.model_calls import endpoints_of, verifiers_of
from agents.prices import price_of
from agents.services.ship_prices import shipped_models


def asked_models() -> dict[str, list[str]]:
    """Every model that an installed agent asks, as prices name it, with the slugs of those agents; the name is
    empty where it is the default one and `OPENAI_MODEL` names none."""
    asked: dict[str, set[str]] = {}
    for agent in registry.all_agents():
        classifier = [agent.route.classifier] if agent.route and agent.route.classifier else []
        further = [endpoint_of(name) for name in classifier]
        for endpoint in (*endpoints_of(agent), *verifiers_of(agent), *further):
            asked.setdefault(endpoint.name, set()).add(agent.slug)
    return {model: sorted(slugs) for model, slugs in sorted(asked.items())}


WHAT_TO_DO = "Set one under Prices; say 0 where it costs nothing."


def unpriced_models(at: datetime) -> dict[str, list[str]]:
    """Models without a price at that moment, each with the slugs of the agents that ask it.

    Those that are shipped with one have it as soon as `sync_agents` runs.
    """
    shipped = shipped_models()
    return {
        model: slugs
        for model, slugs in asked_models().items()
        if model not in shipped and price_of(model, at) is None
    }


def describe_unpriced(model: str, slugs: list[str]) -> str:
    """What is wrong with one of them, in a sentence."""
    said = (
        gettext(
            "The model {model} has no price, so that runs of {agents} show no cost for it and no cap on cost "
            "stops them."
        )
        if model
        else gettext(
            "The default model, which OPENAI_MODEL names, has no price, so that runs of {agents} show no cost "
            "for it and no cap on cost stops them."
        )
    )
    return said.format(model=model, agents=", ".join(slugs))
