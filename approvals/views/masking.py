"""A request in memory without what its reader may not see."""

from __future__ import annotations

from accounts.callers import Caller
from approvals import eligibility
from approvals.models import ApprovalRequest
from approvals.views.request_words import KIND_WORDS
from approvals.vocabulary import Kind
from audit.naming import words_for

#: What of a request may repeat a sensitive value.
REPEATING = frozenset({"title", "preview", "rationale", "question", "resolution", "feedback"})


def masked(item: ApprovalRequest, caller: Caller, *, listed: bool = False) -> ApprovalRequest:
    """The request in memory without what the viewer may not see; it is never saved.

    Its arguments stay: they are what says which of them are hidden.
    """
    hidden = eligibility.hidden_arguments(item, caller, listed=listed)
    if withheld := eligibility.withheld_from(item, caller, listed=listed):
        made = (item.question or {}).get("arguments")
        for name in REPEATING - item.get_deferred_fields():
            setattr(item, name, withheld.value(getattr(item, name)))
        if made is not None:
            item.question = {**(item.question or {}), "arguments": made}
    if hidden:
        tool = words_for({("tool", item.tool)}).get(f"tool:{item.tool}", item.tool)
        title = f"{item.agent_title}: {tool or KIND_WORDS[Kind(item.kind)].lower()}"
        item.title = title
        item.preview = {"title": title, "summary": "", "subject": "", "facts": [], "warnings": []}
        item.rationale = ""
    return item
