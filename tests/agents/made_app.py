"""Django apps that a test writes: with agents that are right, and with ones that are not."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, run_checks
from django.test import override_settings

from agents import registry

_numbers = count(1)

START = """
from decimal import Decimal
from pydantic import BaseModel, ConfigDict
from agents.authoring import *

class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str

@tool(risk=Risk.LOW)
def look(ctx: ToolContext, thing: Thing) -> str:
    '''Look at it.'''
    return thing.name

def agent(**changes):
    given = dict(slug="made", title="Made", category=Category.BOUNDED, owner="finance",
                 instructions="Look.", tools=[look])
    return Agent(**{**given, **changes})
"""


@contextmanager
def installed(folder: Path, *sources: str) -> Iterator[list[str]]:
    """Install an app for each of these endings of `agents.py`; gives their names."""
    names = []
    for source in sources:
        name = f"made_app_{next(_numbers)}"
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("")
        (folder / name / "agents.py").write_text(START + textwrap.dedent(source))
        names.append(name)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, *names]):
            registry.discover()
            yield names
    finally:
        sys.path.remove(str(folder))
        registry.discover()


def checked(folder: Path, *sources: str) -> list[CheckMessage]:
    """What `manage.py check` says with these apps installed."""
    with installed(folder, *sources):
        return run_checks(tags=["agents"])
