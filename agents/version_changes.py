"""What differs between two versions of an agent, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext

from agents.flow_changes import flow_changes
from agents.wording import plain
from audit.wordings import Words

PARTS: Final = Words(
    {
        "title": "Its title",
        "category": "Its category",
        "owner": "Its owner group",
        "instructions": "Its instructions",
        "models": "The models it asks",
        "route": "Its route through models",
        "verifier": "The model that looks for objections to its calls",
        "input": "What it takes",
        "output": "What it answers with",
        "limits": "The highest limits that admins may set",
        "context_tokens": "How much its models take in one request",
        "asserts": "What its answers say was done",
        "answer_threshold_bp": "How sure it must be of its answer",
        "delegates": "The agents it hands work to",
        "memory": "That it writes things down",
        "input_trust": "The trust in its tasks",
    }
)
#: Told by each of their parts, or no matter to people.
_APART: Final = frozenset({"schema", "slug", "budget", "tools", "flow"})


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One sentence for each difference that matters to the people who answer for the agent."""
    names = (*PARTS, *sorted((old.keys() | new.keys()) - PARTS.keys() - _APART))
    changed = [
        gettext("{part} changed.").format(part=PARTS.get(name, f"Its {plain(name).lower()}"))
        for name in names
        if old.get(name) != new.get(name)
    ]
    return [*changed, *_budget(old, new), *_tools(old, new), *flow_changes(old, new)]


def _budget(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before, after = old.get("budget") or {}, new.get("budget") or {}
    return [
        gettext("Its limit of {what}: {name} before, {name2} now.").format(
            what=plain(name).lower(), name=before.get(name, "none"), name2=after.get(name, "none")
        )
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def _tools(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before = {tool["name"]: tool for tool in old.get("tools", ())}
    after = {tool["name"]: tool for tool in new.get("tools", ())}
    said = [
        gettext("It has a new tool, {name}.").format(name=name)
        for name in after
        if name not in before
    ]
    said += [
        gettext("It has the tool {name} no more.").format(name=name)
        for name in before
        if name not in after
    ]
    for name, tool in after.items():
        if name in before and before[name] != tool:
            keys = dict.fromkeys((*tool, *before[name]))
            what = [plain(key).lower() for key in keys if before[name].get(key) != tool.get(key)]
            said.append(
                gettext("Its tool {name} changed: {what}.").format(name=name, what=", ".join(what))
            )
    return said
