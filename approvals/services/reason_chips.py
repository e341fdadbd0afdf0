"""Reason chips: admins add them, change their words and verdicts, put them in order, retire them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals.errors import BadChip, ChipUnknown
from approvals.models import ReasonChip
from approvals.told_secrets import without
from approvals.vocabulary import GIVES_REASON, Verdict
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import Disclose

CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
LONGEST_LABEL = 80
MOST_OFFERED = 60
"""More than that nobody would look through."""
#: Two admins change the list one after the other: places stay those of one list.
_LOCK = 7_302_121


def add_chip(*, code: str, label: str, verdicts: Collection[str], caller: Caller) -> ReasonChip:
    """Offer another reason, in the last place. Raises `BadChip`."""
    caller.require("publish_policies", scope="admin")
    errors, words, kept = _checked(label, verdicts)
    with transaction.atomic():
        _lock()
        places = dict(ReasonChip.objects.values_list("code", "position"))
        if not CODE.fullmatch(code):
            said = gettext("Up to 40 small letters, digits and underscores; a letter first.")
            errors.append(_error("code", said))
        elif code in places:
            said = gettext("There is a reason with this code. A retired one can be brought back.")
            errors.append(_error("code", said))
        errors.extend(_too_many())
        if errors:
            raise BadChip(errors)
        chip = ReasonChip.objects.create(
            code=code, label=words, verdicts=kept, position=max(places.values(), default=0) + 1
        )
        _tell(chip, "added", caller, label=words, verdicts=kept)
        return chip


def change_chip(*, code: str, label: str, verdicts: Collection[str], caller: Caller) -> ReasonChip:
    """Change what a reason says and what it is offered for; its code stays. Nothing happens where
    nothing changed. Raises `BadChip` and `ChipUnknown`."""
    caller.require("publish_policies", scope="admin")
    with transaction.atomic():
        _lock()
        chip = _found(code)
        errors, words, kept = _checked(label, verdicts)
        if errors:
            raise BadChip(errors)
        if (chip.label, chip.verdicts) != (words, kept):
            chip.label, chip.verdicts = words, kept
            chip.save(update_fields=["label", "verdicts"])
            _tell(chip, "changed", caller, label=words, verdicts=kept)
        return chip


def move_chip(*, code: str, places: int, caller: Caller) -> ReasonChip:
    """Move a reason that is offered by so many places, at most to the first or the last one.

    Raises `ChipUnknown`, also for one that is retired.
    """
    caller.require("publish_policies", scope="admin")
    with transaction.atomic():
        _lock()
        offered = list(ReasonChip.objects.offered())
        chip = next((each for each in offered if each.code == code), None)
        if chip is None:
            raise ChipUnknown(code)
        before = offered.index(chip)
        offered.remove(chip)
        place = min(max(before + places, 0), len(offered))
        offered.insert(place, chip)
        if place != before:
            for position, each in enumerate(offered, start=1):
                each.position = position
            ReasonChip.objects.bulk_update(offered, ["position"])
            _tell(chip, "moved", caller, place=place + 1)
        return chip


def retire_chip(*, code: str, caller: Caller) -> ReasonChip:
    """Offer a reason no longer; what was decided with it stays as it is. Raises `ChipUnknown`."""
    caller.require("publish_policies", scope="admin")
    with transaction.atomic():
        _lock()
        chip = _found(code)
        if chip.retired_at is None:
            chip.retired_at = database_now()
            chip.save(update_fields=["retired_at"])
            _tell(chip, "retired", caller)
        return chip


def restore_chip(*, code: str, caller: Caller) -> ReasonChip:
    """Offer a retired reason again, in the last place. Raises `BadChip` and `ChipUnknown`."""
    caller.require("publish_policies", scope="admin")
    with transaction.atomic():
        _lock()
        chip = _found(code)
        if chip.retired_at is not None:
            if errors := _too_many():
                raise BadChip(errors)
            places = ReasonChip.objects.values_list("position", flat=True)
            chip.position, chip.retired_at = max(places) + 1, None
            chip.save(update_fields=["position", "retired_at"])
            _tell(chip, "restored", caller)
        return chip


def _found(code: str) -> ReasonChip:
    chip = ReasonChip.objects.filter(code=code).first()
    if chip is None:
        raise ChipUnknown(code)
    return chip


def _checked(
    label: str, verdicts: Collection[str]
) -> tuple[list[dict[str, str]], str, list[Verdict]]:
    """What is wrong with the two, the label on one line, and the verdicts in the order of all."""
    errors = []
    words = without(" ".join(label.split()))
    if not words or len(words) > LONGEST_LABEL or not words.isprintable():
        errors.append(
            _error(
                "label",
                gettext("A few words, at most {longest_label} characters.").format(
                    longest_label=LONGEST_LABEL
                ),
            )
        )
    kept = [verdict for verdict in GIVES_REASON if verdict in verdicts]
    if not kept or len(kept) != len(set(verdicts)):
        names = ", ".join(GIVES_REASON)
        errors.append(
            _error("verdicts", gettext("Pick at least one of {names}.").format(names=names))
        )
    return errors, words, kept


def _too_many() -> list[dict[str, str]]:
    if ReasonChip.objects.offered().count() < MOST_OFFERED:
        return []
    return [
        _error(
            "code",
            gettext("There are {most_offered} reasons already. Retire one first.").format(
                most_offered=MOST_OFFERED
            ),
        )
    ]


def _error(field: str, message: str) -> dict[str, str]:
    return {"field": field, "message": message}


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _tell(chip: ReasonChip, what: str, caller: Caller, *, label: str = "", **facts: Any) -> None:
    actor = caller.actor
    subject = f"{actor.kind}:{actor.id}"
    record(
        type=f"reason_chip.{what}",
        actor=actor,
        stream="policy",
        facts={"chip": chip.code, **facts},
        disclosures=[Disclose("label", label, subject)] if label else [],
    )
