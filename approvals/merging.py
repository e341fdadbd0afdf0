"""A draft's changes on top of what was published meanwhile: a three-way merge by line and rule. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from approvals.policies import Policy, load

_ABSENT = object()


def merged(base: Policy, mine: Policy, theirs: Policy) -> tuple[Policy, list[str]]:
    """What `mine` changed in `base`, applied to `theirs`.

    Returns the policy and a sentence for everything that both changed, each in another way: there
    `mine` stays. Raises `BadPolicy` where both together make no policy.
    """
    was, one, two = (_parts(policy) for policy in (base, mine, theirs))
    conflicts = []
    result = dict(two)
    for key in {**was, **one, **two}:
        before, ours, other = (parts.get(key, _ABSENT) for parts in (was, one, two))
        if ours == before:
            continue
        if other not in (before, ours):
            conflicts.append(
                gettext("{key} was changed there too; this draft's own change stays.").format(
                    key=_title(key)
                )
            )
        if ours is _ABSENT:
            result.pop(key, None)
        else:
            result[key] = ours
    return load(_whole(result)), conflicts


Key = tuple[str, ...]


def _parts(policy: Policy) -> dict[Key, Any]:
    """The document as independent parts: each threshold line, each rule, everything else whole."""
    document = policy.document()
    parts: dict[Key, Any] = {}
    for name, value in document.items():
        if name == "thresholds":
            parts.update(_threshold_parts(value))
        elif name == "rules":
            parts.update({("rules", rule["name"]): rule for rule in value})
        else:
            parts[(name,)] = value
    return parts


def _threshold_parts(table: Mapping[str, Any]) -> dict[Key, Any]:
    parts: dict[Key, Any] = {("thresholds", "default"): table["default"]}
    for level in ("risks", "agents", "tools"):
        parts.update({("thresholds", level, name): share for name, share in table[level].items()})
    for agent, tools in table["agent_tools"].items():
        for tool, share in tools.items():
            parts["thresholds", "agent_tools", agent, tool] = share
    return parts


def _whole(parts: Mapping[Key, Any]) -> dict[str, Any]:
    thresholds: dict[str, Any] = {}
    document: dict[str, Any] = {"thresholds": thresholds, "rules": []}
    for key, value in parts.items():
        match key:
            case ("rules", _):
                document["rules"].append(value)
            case ("thresholds", *path, last):
                table = thresholds
                for name in path:
                    table = table.setdefault(name, {})
                table[last] = value
            case (name,):
                document[name] = value
    return document


def _title(key: Key) -> str:
    match key:
        case ("rules", name):
            return gettext("The rule {name}").format(name=name)
        case ("thresholds", "default"):
            return gettext("The threshold of everything else")
        case ("thresholds", _, *names):
            return gettext("The threshold of {names}").format(names=" × ".join(names))
    return key[0].replace("_", " ").capitalize()
