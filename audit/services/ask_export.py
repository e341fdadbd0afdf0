"""Ask for an export of the events that a filter chooses."""

from typing import Literal

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext

from audit.clock import database_now
from audit.errors import Conflict, Invalid
from audit.filters import EventFilter
from audit.models import Checkpoint, Export
from audit.ports import Caller
from audit.queues import write_export_on_commit
from audit.recorder import record
from audit.schemas import LONGEST_CHALLENGE, Disclose

Format = Literal["bundle", "jsonl", "csv"]


class TooManyExports(Conflict):
    """Somebody has as many exports underway as one person may have."""

    code = "too_many_exports"

    def __init__(self, most: int) -> None:
        super().__init__(
            gettext(
                "You have {most} exports underway, which is as many as one person may have at "
                "once. Wait until one is finished."
            ).format(most=most),
            params={"most": most},
        )


class UnusableChallenge(Invalid):
    """A challenge that an export cannot carry."""

    code = "unusable_challenge"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "A challenge is a text of 1 to {longest_challenge} printable characters on one line."
            ).format(longest_challenge=LONGEST_CHALLENGE),
            params={"largest": LONGEST_CHALLENGE},
        )


class NotThatFar(Invalid):
    """The log has never been as large as the asker says that it was."""

    code = "log_not_that_far"

    def __init__(self, since_size: int, size: int) -> None:
        super().__init__(
            gettext(
                "The sealed log has {size} events, and {since_size} were asked for as the size "
                "of a former check. If a check of yours showed that many, the log was cut: tell "
                "whoever answers for it."
            ).format(size=size, since_size=since_size),
            params={"since_size": since_size, "size": size},
        )


def ask_export(
    *,
    chosen: EventFilter,
    file_format: Format,
    caller: Caller,
    challenge: str | None = None,
    disclosures: bool = True,
    since_size: int | None = None,
    wake: bool = True,
) -> Export:
    """Store the wish, record it, and let a worker write the file (unless `wake` is False).

    The export holds what was inserted before it was asked for. An evidence export (`bundle`) carries the
    `challenge`, a proof of consistency with a log of `since_size` events, and, with `disclosures`, whatever
    of personal data and documents the caller may read. Raises `TooManyExports`, `UnusableChallenge`,
    `NotThatFar`, or a Forbidden unless the caller may export the log.
    """
    caller.require("export_audit", scope="audit")
    if challenge is not None and not _is_usable(challenge):
        raise UnusableChallenge
    if since_size is not None:
        newest = Checkpoint.objects.newest()
        if since_size > (newest.size if newest else 0):
            raise NotThatFar(since_size, newest.size if newest else 0)
    is_bundle = file_format == "bundle"
    reads = is_bundle and disclosures and caller.may("read_audit", "audit")
    documents = reads and caller.holds("read_everything")
    sensitive = documents and caller.holds("read_sensitive")
    given = chosen.resolved().given()
    with transaction.atomic():
        _require_room(caller.actor.id)
        now = database_now()
        export = Export.objects.create(
            asked_by=caller.actor.id,
            format=file_format,
            filters=given,
            until=now,
            created_at=now,
            challenge=challenge if is_bundle else None,
            since_size=since_size if is_bundle else None,
            with_disclosures=reads,
            with_documents=documents,
            with_sensitive=sensitive,
        )
        kept = {"filters": given, "challenge": challenge}
        record(
            type="export.asked",
            actor=caller.actor,
            stream="log",
            facts={
                "export": export.id,
                "format": file_format,
                "filtered_by": sorted(given),
                **({"with_disclosures": reads, "with_sensitive": sensitive} if is_bundle else {}),
            },
            # People type names into filters, and anything into challenges.
            disclosures=[
                Disclose(name, value, f"export:{export.id}")
                for name, value in kept.items()
                if value
            ],
        )
        if wake:
            write_export_on_commit(export.id)
    return export


def _is_usable(challenge: str) -> bool:
    return 0 < len(challenge) <= LONGEST_CHALLENGE and challenge.isprintable()


def _require_room(asked_by: str) -> None:
    """Two wishes of one person at the same moment wait for each other, so that both are counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('audit export'), hashtext(%s))", [asked_by]
        )
    most = settings.COUNTERSIGN.export_per_person
    if Export.objects.filter(asked_by=asked_by).underway().count() >= most:
        raise TooManyExports(most)
