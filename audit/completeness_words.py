"""How complete an evidence export is, in a sentence for its page and for the command."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext


def in_words(completeness: Mapping[str, Any], *, size: int | None) -> str:
    """The manifest's claim as a sentence; empty before there is one."""
    match completeness:
        case {"kind": "range", "missing": missing} if missing:
            return gettext(
                "Not whole: events are missing at {missing} places, and their leaves are there. "
                "They were deleted. Check the log with audit_fsck."
            ).format(missing=missing)
        case {"kind": "range", "dropped": dropped} if dropped:
            return gettext(
                "Whole but for {dropped} events that were dropped after their time; their leaf "
                "hashes are there."
            ).format(dropped=dropped)
        case {"kind": "range", "first": 0, "end": end} if end == size:
            return gettext("The whole log up to its checkpoint. That none is left out is proved.")
        case {"kind": "range", "first": first, "end": end} if first < end:
            return gettext(
                "Every event from place {first} to place {end} of the log. That none between "
                "them is left out is proved."
            ).format(first=first, end=end - 1)
        case {"kind": "range"}:
            return gettext("No event of the log lies in this time.")
        case {"kind": "story", "ended": True}:
            return gettext("One whole story. That nothing before its end is left out is proved.")
        case {"kind": "story"}:
            return gettext("One story that has not ended. Its newest events could be missing.")
        case {"kind": "selection"}:
            return gettext(
                "A selection. That each event is in the log is proved; that none is left out is not."
            )
    return ""
