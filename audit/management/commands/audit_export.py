"""Export the audit log as evidence, from a shell."""

import shutil
from pathlib import Path
from typing import Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from pydantic import ValidationError

from audit.completeness_words import in_words
from audit.errors import Refusal
from audit.filters import EventFilter
from audit.models import Export, ExportFormat, ExportState
from audit.printable import printable
from audit.services.ask_export import Format, ask_export
from audit.services.download_export import download_export
from audit.services.write_export import write_export
from audit.shell_caller import ShellCaller

_FILTERS = tuple(EventFilter.model_fields)


class Command(BaseCommand):
    """Asks for an export, writes it here and now, and puts the file where it is wanted.

    Whoever may run it has the database and its keys at hand; that it was asked for and handed out is recorded
    all the same.
    """

    help = "Export the audit log into a file: a ZIP of evidence that verify.py checks offline."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", help="the file to write; it must not exist")
        parser.add_argument("--format", choices=ExportFormat.values, default=ExportFormat.BUNDLE)
        for name in _FILTERS:
            description = (
                EventFilter.model_fields[name].description or f"only events of this {name}"
            )
            parser.add_argument(f"--{name}", help=description)
        parser.add_argument("--challenge", help="a text that shows when the export was made")
        parser.add_argument(
            "--since-size", type=int, help="how many events the log had at the last check"
        )
        parser.add_argument(
            "--without-disclosures",
            action="store_true",
            help="leave out personal data, free text and documents",
        )
        parser.add_argument(
            "--sensitive", action="store_true", help="sensitive arguments too, where documents are"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["path"])
        if path.exists():
            raise CommandError(f"{path} is there already; name a file that is not.")
        export = self._exported(options)
        _, written = download_export(export.id, caller=self._caller(options))
        # Made unreadable for others before anything is in it, as the original is.
        path.touch(mode=0o600)
        shutil.copyfile(written, path)
        self.stdout.write(
            f"{export.events} events in {path}, {export.bytes} bytes, {export.sha256}."
        )
        if export.format == ExportFormat.BUNDLE:
            self.stdout.write(in_words(export.completeness, size=export.size))
        if export.not_sealed:
            self.stdout.write(f"{export.not_sealed} events that fit were not sealed in time.")

    def _exported(self, options: dict[str, Any]) -> Export:
        given = {name: options[name] for name in _FILTERS if options[name] is not None}
        try:
            export = ask_export(
                chosen=EventFilter.model_validate(given),
                file_format=cast(Format, options["format"]),
                caller=self._caller(options),
                challenge=options["challenge"],
                disclosures=not options["without_disclosures"],
                since_size=options["since_size"],
                wake=False,
            )
        except ValidationError as error:
            wrong = error.errors(include_url=False)[0]
            raise CommandError(f"--{wrong['loc'][0]}: {printable(wrong['msg'])}") from error
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        write_export(export.id)
        export.refresh_from_db()
        if export.state != ExportState.FINISHED:
            raise CommandError(printable(export.problem) or "The export was not written.")
        return export

    def _caller(self, options: dict[str, Any]) -> ShellCaller:
        return ShellCaller(sensitive=options["sensitive"])
