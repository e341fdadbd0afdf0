"""What differs between two recorded workflows, in sentences, and whether a run may go from one to the other. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.schema_compat import meaning
from agents.wording import plain


def changed_states(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names of the states of two definitions that came, went, or do something else; where it starts too.

    Words that only people read are no change.
    """
    before, after = _states(old), _states(new)
    changed = [
        name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)
    ]
    start_moved = _head(old) != _head(new)
    return [*changed, *(["its start or its version"] if start_moved else [])]


def flow_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One sentence for each difference between the workflows of two definitions."""
    before, after = _states(old), _states(new)
    said = [f"Its workflow has a new state, {plain(n).lower()}." for n in after if n not in before]
    said += [
        f"Its workflow has the state {plain(n).lower()} no more." for n in before if n not in after
    ]
    said += [
        _of_state(n, before[n], after[n]) for n in after if n in before and before[n] != after[n]
    ]
    if _head(old) != _head(new):
        said.append("Where its workflow starts, or the version of its code, changed.")
    return said


def _of_state(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    words = {
        "to": "where it leads",
        "ends": "whether it may end the run",
        "asks": "what the model answers there",
        "source": "its code",
    }
    what = [said for key, said in words.items() if old.get(key) != new.get(key)]
    return f"Its state {plain(name).lower()} changed: {', '.join(what)}."


def _states(definition: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    flow = definition.get("flow") or {}
    return {
        state["name"]: {
            **{key: value for key, value in state.items() if key not in ("about", "asks")},
            "asks": meaning(state.get("asks")),
        }
        for state in flow.get("states", ())
    }


def _head(definition: Mapping[str, Any]) -> tuple[Any, Any]:
    flow = definition.get("flow") or {}
    return flow.get("start"), flow.get("version")
