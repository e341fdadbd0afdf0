"""`manage.py startagent NAME [directory]`: a Django app with one agent, two tools and its tests."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.management.templates import TemplateCommand

from agents.definition_rules import SLUG
from countersign.programs import PROJECT

TEMPLATE = Path(__file__).resolve().parent.parent.parent / "agent_template"


class Command(TemplateCommand):
    """Django's own way of starting an app, with a template of ours."""

    help = "Writes a Django app with one agent to begin with, and its tests."
    missing_args_message = "You must provide a name for the app."

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._free: set[str] = set()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="name of the app, in lower_snake_case")
        parser.add_argument(
            "directory",
            nargs="?",
            help="where to write it; as NAME in this directory, unless given",
        )
        parser.add_argument(
            "--owner", default="support", help="slug of the review group that answers for the agent"
        )

    def validate_name(self, name: str, name_or_dir: str = "name") -> None:
        """As Django's, once for each name: Python finds a folder on its path as soon as it is made, empty or not."""
        if name not in self._free:
            super().validate_name(name, name_or_dir)
            self._free.add(name)

    def handle(self, **options: Any) -> None:  # type: ignore[override]
        name, directory = options.pop("name"), options.pop("directory")
        slug = name.replace("_", "-")
        if not SLUG.fullmatch(slug):
            raise CommandError(f"{name!r} is no name for an app: use lower_snake_case.")
        if not SLUG.fullmatch(options["owner"]):
            raise CommandError(f"{options['owner']!r} is no slug of a review group.")
        options |= {
            "slug": slug,
            "title": name.replace("_", " ").capitalize(),
            "template": str(TEMPLATE),
            "extensions": ["py"],
            "files": [],
            "exclude": None,
        }
        # What its complaints are worded with.
        self.app_or_project, self.a_or_an = "app", "an"
        self.validate_name(name)
        if directory is not None:
            self.validate_name(Path(directory).resolve().name, "directory")
            Path(directory).mkdir(parents=True, exist_ok=True)
        super().handle("app", name, directory, **options)
        self._say_what_is_next(name, Path(directory or name).resolve())

    def _say_what_is_next(self, name: str, written: Path) -> None:
        home = written.parent
        path = "" if home in (PROJECT, Path.cwd()) else f"PYTHONPATH={home} "
        if written.name != name:
            self.stderr.write(
                f"The folder is called {written.name}: rename it to {name}, so that it can be imported."
            )
        given = f"{path}COUNTERSIGN_APPS={name} "
        steps = (
            (f"{path}python -m pytest {os.path.relpath(written)}", "its own tests"),
            (f"{given}python manage.py check", "what is wrong with the definition"),
            (f"{given}make demo", "the product with it, its version activated"),
            (
                f"{given}python manage.py sync_agents",
                "elsewhere: its owner group activates it then",
            ),
        )
        self.stdout.write(f"Wrote {os.path.relpath(written)}. What to do next:")
        for command, why in steps:
            self.stdout.write(f"  {command}\n      {why}")
        self.stdout.write("docs/write-an-agent.md goes on from here.")
