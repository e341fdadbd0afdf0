"""Agents and their tools in plain words. Pure."""

from __future__ import annotations

from typing import Final

from agents.definitions import Category
from agents.tools import EffectClass
from audit.wordings import Words

CATEGORIES: Final = Words[str](
    {
        Category.WORKFLOW: (
            "Workflow: code decides what comes next, and the model is asked only at marked points."
        ),
        Category.BOUNDED: (
            "Bounded: the model chooses what comes next, from a closed list of tools and within tight "
            "limits."
        ),
        Category.OPEN: (
            "Open: the model plans freely and may hand work to other agents; whatever it changes is "
            "reviewed unless a policy says otherwise."
        ),
    }
)

EFFECT_CLASSES: Final = Words(
    {
        EffectClass.TRANSACTIONAL: (
            "Commits together with the run's own record: it happens exactly once."
        ),
        EffectClass.IDEMPOTENT: (
            "The other side knows repeated calls by their key, so one whose answer was lost is sent "
            "again safely."
        ),
        EffectClass.QUERYABLE: (
            "The other side can be asked whether a call happened; if it does not know, a person looks."
        ),
        EffectClass.OPAQUE: (
            "A call whose answer was lost is never repeated by itself; a person says whether it "
            "happened."
        ),
    }
)

EFFECTS: Final = Words(
    {
        "money": "Moves money",
        "production": "Changes production",
        "destructive": "Destroys something",
        "external_communication": "Writes to somebody outside",
        "personal_data": "Touches personal data",
        "credentials": "Touches credentials",
    }
)

BREAKERS: Final = Words(
    {
        "closed": "",
        "open": "It failed again and again, so it is left alone",
        "probing": "It failed again and again; the next call finds out whether it answers again",
    }
)
