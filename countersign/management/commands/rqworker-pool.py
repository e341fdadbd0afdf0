"""`manage.py rqworker-pool QUEUE`: a pool of our workers on one queue."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from agents.toolless import Toolless

SERIALIZER = "rq.serializers.JSONSerializer"
theirs = import_module("django_rq.management.commands.rqworker-pool")


class Command(Toolless, theirs.Command):  # type: ignore[misc,name-defined]
    """django-rq's pool with JSON jobs, the worker class of the settings, and one queue."""

    _carries_out_tools = True
    help = "Runs workers for one queue: resumes, runs or background."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(serializer=SERIALIZER)

    def execute(self, *queues: str, **options: Any) -> str | None:
        # Mail, exports and figures are made without tools.
        self._carries_out_tools = queues != ("background",)
        told: str | None = super().execute(*queues, **options)
        return told

    def carries_out_tools(self) -> bool:
        return self._carries_out_tools

    def handle(self, *queues: str, **options: Any) -> None:
        known = sorted(settings.RQ_QUEUES)
        # RQ can lose a job between several queues, so each has workers of its own.
        if len(queues) != 1 or queues[0] not in known:
            raise CommandError(f"Name one queue: {', '.join(known)}.")
        super().handle(*queues, **options)
