"""Tables of words that speak the reader's language. What they are made of stays plain English."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy

Key = TypeVar("Key")


class Words(Mapping[Key, str], Generic[Key]):
    """A table from codes to words: each is translated when it is looked up, never when it is written down."""

    def __init__(self, words: Mapping[Key, str]) -> None:
        self._words = dict(words)

    def __getitem__(self, key: Key) -> str:
        words = self._words[key]
        return gettext(words) if words else ""

    def __iter__(self) -> Iterator[Key]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)

    def choices(self) -> list[tuple[Key, str]]:
        """For a field of a form, which is made once and read in many languages: each choice begins as a line does."""
        return [(key, capfirst(str_later(words))) for key, words in self._words.items()]


def str_later(words: str) -> str:
    """The words in the language of whoever reads them when they are read."""
    later: str = gettext_lazy(words)  # type: ignore[assignment]
    return later
