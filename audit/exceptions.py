"""What auditors ask about first: the kinds of exception that the database finds by an index.

Which events are one is said by `audit_exception()` in the database; here are their names in words.
"""

from typing import Final

from audit.wordings import Words

KINDS: Final = Words(
    {
        "self_published": "Policy published by its own author",
        "second_waived": "Second person for a policy waived",
        "sticky_used": "Call allowed by a sticky approval",
        "approval_undone": "Approval taken back",
        "doubt_by_hand": "In doubt, answered by hand",
        "own_edit": "Editor approved their own edit",
        "decided_fast": "High risk decided in under three seconds",
        "kill_switch": "Kill switch",
    }
)
