"""The agents that the installed apps declare, found the way Django finds `admin.py`."""

from __future__ import annotations

import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from agents.definitions import Agent
from agents.errors import UnknownAgent
from agents.mistakes import DefinitionError, Mistake

_declared: dict[str, Agent] = {}
_homes: dict[str, str] = {}
_mistakes: list[Mistake] = []


def discover() -> None:
    """Import `agents.py` of every installed app and register the agents it holds.

    What is wrong with one is kept for `manage.py check` (`mistakes`), so that it does not end every command
    with a traceback; processes that do work ask `require_sound` before they begin.
    """
    _declared.clear()
    _homes.clear()
    _mistakes.clear()
    for app in apps.get_app_configs():
        if (
            app.name == "agents"
            or app.module is None
            or not module_has_submodule(app.module, "agents")
        ):
            continue
        name = f"{app.name}.agents"
        try:
            register_module(import_module(name))
        except DefinitionError as error:
            _mistakes.extend(error.mistakes)
        # Foreign code: whatever is wrong with it is said, and by the check, not here.
        except Exception as error:  # noqa: BLE001
            _mistakes.append(_broken(name, error, app.path))


def _broken(module: str, error: Exception, home: str) -> Mistake:
    """`home` is the app's folder: what an author wrote is mended there, not where a library noticed it."""
    if isinstance(error, SyntaxError):
        place = f"{error.filename}:{error.lineno}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).is_relative_to(home)]
        last = (own or frames)[-1]
        place = f"{last.filename}:{last.lineno}"
    return Mistake(
        "agents.E019",
        f"{module} cannot be imported: {type(error).__name__}: {error}",
        f"Mend it at {place}.",
        place,
    )


def mistakes() -> tuple[Mistake, ...]:
    """What was wrong with the declarations that were found; none of those is registered."""
    return tuple(_mistakes)


def require_sound() -> None:
    """Raise DefinitionError where a declaration is wrong: half of the agents are not the agents."""
    if _mistakes:
        raise DefinitionError(*_mistakes)


def register_module(module: ModuleType) -> None:
    """Register every Agent that is an attribute of the module. Raises DefinitionError on a clash."""
    for value in vars(module).values():
        if isinstance(value, Agent):
            register(value, home=module.__name__)


def register(agent: Agent, *, home: str = "") -> None:
    """Register one agent; its slug may be declared only once. `home`: the module that declares it."""
    present = _declared.get(agent.slug)
    if present is not None and present is not agent:
        both = [each for each in (_homes.get(agent.slug), home) if each]
        places = f", in {' and in '.join(both)}" if both else ""
        raise DefinitionError(
            Mistake("agents.E010", f"Two agents are called {agent.slug}{places}.", "Rename one.")
        )
    _declared[agent.slug] = agent
    _homes.setdefault(agent.slug, home)


def unregister(slug: str) -> None:
    """Forget an agent, as a deploy without it would."""
    _declared.pop(slug, None)
    _homes.pop(slug, None)


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
