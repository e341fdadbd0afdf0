"""`manage.py settings_reference`: write docs/settings.md anew, or say whether it is behind."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from countersign.setting_pages import PAGE, complaints, page


class Command(BaseCommand):
    """Writes the reference of all settings from their types and words."""

    help = (
        "Writes docs/settings.md from the typed settings; --check only says whether it is behind."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; exit with 1 when it is behind"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if not options["check"]:
            PAGE.write_text(page())
        if found := complaints():
            raise CommandError("\n".join(found))
        self.stdout.write("docs/settings.md says what the settings are.")
