"""What the log keeps something apart about, in words: `person:7` is somebody with a name."""

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext

from audit.wordings import Words

_KINDS: Final = Words(
    {
        "run": "the run",
        "request": "the request",
        "agent": "the agent",
        "export": "an export",
        "sample": "a sample",
        "hold": "a legal hold",
        "switch": "a kill switch",
        "visitor": "visitors without an account",
    }
)


def person_of(subject: str) -> str | None:
    """The id of the person that the subject is; None where it is none."""
    kind, _, which = subject.partition(":")
    return which if kind == "person" and which else None


def subject_in_words(subject: str, names: Mapping[str, str]) -> str:
    """The subject as a page calls it, with people and agents as in `names` (id → name, `agent:slug` → title).

    The end of an id tells it from others.
    """
    person = person_of(subject)
    if person is not None:
        return names.get(person) or gettext("person {person}").format(person=person)
    kind, _, which = subject.partition(":")
    words = _KINDS.get(kind, kind)
    if not which:
        return words
    which = names.get(subject, which)
    return f"{words} …{which[-8:]}" if len(which) == 36 else f"{words} {which}"
