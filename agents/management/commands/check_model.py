"""`manage.py check_model`: try a model with a few small calls and say what degrades."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from agents.endpoints import endpoint_of
from agents.model_probe import probe
from agents.prices import price_of
from audit.clock import database_now


class Command(BaseCommand):
    help = "Tries a model over its endpoint: tools, usage, cached tokens, strict schemas, log-probabilities."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "name",
            nargs="?",
            default="",
            help="as agents name it: endpoint/model, or a model of the default endpoint, which is tried "
            "without a name",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        endpoint = endpoint_of(options["name"])
        if settings.COUNTERSIGN.practice and not endpoint.server:
            raise CommandError(
                "The default model is the demo's practice model, a script; there is nothing to try. Set "
                "OPENAI_BASE_URL or OPENAI_API_KEY, or name a model of an endpoint."
            )
        if not endpoint.model:
            raise CommandError("No model is named: set OPENAI_MODEL, or give a name.")
        where = endpoint.base_url or "the client's own address"
        self.stdout.write(f"{endpoint.name} at {where}")
        usable = True
        for finding in probe(endpoint):
            mark = self.style.SUCCESS("well ") if finding.well else self.style.WARNING("note ")
            self.stdout.write(f"  {mark}{finding.text}")
            usable = usable and finding.usable
        if price_of(endpoint.name, database_now()) is None:
            note = self.style.WARNING("note ")
            self.stdout.write(
                f"  {note}Price: none is set. Set one under Prices; 0 where it is free."
            )
        if not usable:
            raise CommandError(f"{endpoint.name} cannot be used by agents.")
        self.stdout.write(f"{endpoint.name} can be used.")
