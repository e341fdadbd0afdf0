"""`manage.py web`: one web process, as it is run everywhere."""

import os
from typing import Any, NoReturn

from django.core.management.base import BaseCommand

from countersign.config import load
from countersign.programs import PROJECT, web


class Command(BaseCommand):
    """Becomes the web server on COUNTERSIGN_HOST and PORT; whoever supervises sees one process."""

    help = "Answers pages, API and sockets on COUNTERSIGN_HOST and PORT until SIGTERM."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> NoReturn:
        # This process read its settings as a command does; what only a web process needs is missed here, in a sentence.
        os.environ["COUNTERSIGN_PROCESS"] = "web"
        program = web(load())
        os.chdir(PROJECT)
        os.execv(program.arguments[0], program.arguments)  # noqa: S606
