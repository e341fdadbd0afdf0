"""What a check of the whole log looked at, in the language of whoever reads it."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, ngettext

from audit import spellings
from audit.ports import ledgers


def in_words(looked_at: Mapping[str, Any]) -> str:
    """Two sentences from the numbers that `Checked.counted` gives."""
    events, streams = looked_at["events"], looked_at["streams"]
    apart, sealed = looked_at["disclosures"], looked_at["leaves"]
    signed, rows = looked_at["checkpoints"], looked_at["rows"]
    said = (
        f"{_counted(ngettext('{number} event', '{number} events', events), events)} "
        f"{_counted(ngettext('in {number} stream', 'in {number} streams', streams), streams)}, "
        f"{_counted(ngettext('{number} disclosure', '{number} disclosures', apart), apart)}; "
        f"{_counted(ngettext('{number} event sealed', '{number} events sealed', sealed), sealed)} "
        f"{_counted(ngettext('under {number} checkpoint', 'under {number} checkpoints', signed), signed)}."
    )
    if not rows:
        return said
    words = {ledger.what: ledger.counted for ledger in ledgers()}
    listed = ", ".join(
        _counted(words[what](number), number) for what, number in sorted(rows.items())
    )
    return f"{said} {gettext('Rows that agree with the log: {listed}.').format(listed=listed)}"


def _counted(words: str, number: int) -> str:
    return words.format(number=spellings.number(number))
