"""`manage.py sync_agents`: record the installed agents and their versions."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from agents import registry
from agents.services.operate_agent import activate_version
from agents.services.sync import sync_agents
from agents.toolless import Toolless
from agents.unpriced import WHAT_TO_DO, describe_unpriced, unpriced_models
from audit.actors import Actor
from audit.clock import database_now


class Command(Toolless):
    help = "Records the installed agents, their versions and owner groups; says what awaits activation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--activate", action="store_true", help="activate the installed versions at once"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.system("sync_agents")
        report = sync_agents(registry.all_agents(), actor=actor)
        for group in report.new_groups:
            self.stdout.write(
                f"New review group {group}: add the people who answer for its agents."
            )
        for slug in report.new_versions:
            self.stdout.write(f"New version of {slug}: {registry.get(slug).version}")
        for slug in report.awaiting_activation:
            for difference in report.differences[slug]:
                self.stdout.write(f"  {slug}: {difference}")
            if options["activate"]:
                activate_version(slug=slug, digest=registry.get(slug).version, caller=actor)
                self.stdout.write(f"Activated {slug}.")
            else:
                self.stdout.write(
                    f"{slug} waits for its owner group to activate {registry.get(slug).version}"
                )
        if report.new_prices:
            self.stdout.write(f"New prices, as shipped: {', '.join(report.new_prices)}")
        for model, slugs in unpriced_models(database_now()).items():
            said = f"{describe_unpriced(model, slugs)} {WHAT_TO_DO}"
            self.stdout.write(self.style.ERROR(said))
        self.stdout.write(f"{len(registry.all_agents())} agents installed.")
