"""The rule by which the shop looks at every change of data-steward."""

from __future__ import annotations

from typing import Final

from approvals.policies import Rule, When
from approvals.schemas import GroupNeed, Requirements

RULES: Final = (
    Rule(
        name="steward-changes",
        title="Changes of rows by Shop data steward: one of Support",
        when=When(agents=("data-steward",), tools=("change_rows", "undo_change_rows")),
        effect="review",
        requirements=Requirements(groups=(GroupNeed(group="support", count=1),)),
    ),
)
