"""The agents that the installed apps declare, found the way Django finds `admin.py`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from agents.definitions import Agent
from agents.errors import UnknownAgent
from agents.tools import DefinitionError

_declared: dict[str, Agent] = {}


def discover() -> None:
    """Import `agents.py` of every installed app and register the agents it holds."""
    _declared.clear()
    for app in apps.get_app_configs():
        if (
            app.name == "agents"
            or app.module is None
            or not module_has_submodule(app.module, "agents")
        ):
            continue
        register_module(import_module(f"{app.name}.agents"))


def register_module(module: ModuleType) -> None:
    """Register every Agent that is an attribute of the module. Raises DefinitionError on a clash."""
    for value in vars(module).values():
        if isinstance(value, Agent):
            register(value)


def register(agent: Agent) -> None:
    """Register one agent; its slug may be declared only once."""
    present = _declared.get(agent.slug)
    if present is not None and present is not agent:
        raise DefinitionError(f"Two agents are called {agent.slug}; rename one.")
    _declared[agent.slug] = agent


def unregister(slug: str) -> None:
    """Forget an agent, as a deploy without it would."""
    _declared.pop(slug, None)


def all_agents() -> list[Agent]:
    """Every declared agent, by slug."""
    return [_declared[slug] for slug in sorted(_declared)]


def find(slug: str) -> Agent | None:
    """The declared agent of that slug, or None."""
    return _declared.get(slug)


def get(slug: str) -> Agent:
    """The declared agent of that slug; raises UnknownAgent."""
    agent = find(slug)
    if agent is None:
        raise UnknownAgent(slug)
    return agent
