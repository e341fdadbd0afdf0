"""Characters that a reader would not see, or that make text look like other text.

What an agent proposes may carry characters that hide content (zero width), turn the direction of reading (bidi
controls, Unicode TR 36 section 2.5 and TR 9) or imitate Latin letters in an address (TR 39, mixed script
confusables). A person who approves must see them, so text is cut into runs of plain and marked characters here.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_KEPT_CONTROLS = frozenset("\n\t")
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800\U00016fe4\U0001d159")
#: More marks than this on one letter are drawn over the lines above and below it; no script needs them.
MOST_COMBINED = 4
_COMBINING = frozenset({"Mn", "Me"})
_MARKED_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
#: Of most texts every character is one of these, none of which hides anything. A letter with an accent may
#: still imitate another in an address.
_PLAIN = re.compile(r"[\n\t\x20-\x7e€£§°·×–—…„“”‚‘’«»]*")
_PLAIN_PROSE = re.compile(r"[\n\t\x20-\x7e€£§°·×–—…„“”‚‘’«»À-ÖØ-öø-ÿ]*")
_WORD = re.compile(r"\S+")
_ADDRESS = re.compile(r"@|://|\.[^\W\d_]{2,}", re.UNICODE)
_IMITATING_SCRIPTS = (
    "CYRILLIC",
    "GREEK",
    "ARMENIAN",
    "CHEROKEE",
    "FULLWIDTH",
    "MATHEMATICAL",
    "MODIFIER",
)


@dataclass(frozen=True)
class Run:
    """Plain text, or a marked character: `note` then says what it is (`U+202E RIGHT-TO-LEFT OVERRIDE`).

    Of an invisible one, `text` holds it as often as it stands there in a row.
    """

    text: str
    note: str = ""
    invisible: bool = False

    @property
    def code_point(self) -> str:
        """`U+202E` for a marked character, `U+202E ×3` for three in a row; empty for plain text."""
        point = self.note.partition(" ")[0]
        return f"{point} ×{len(self.text)}" if len(self.text) > 1 and point else point


def runs(text: str) -> Iterator[Run]:
    """Cut `text` into plain runs and marked characters; joined, their `text` is the input unchanged."""
    if is_plain(text):
        if text:
            yield Run(text)
        return
    imitations = frozenset(_imitating_letters(text))
    piled = frozenset(_piled_marks(text))
    plain: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        unseen = is_invisible(character)
        invisible = unseen or position in piled
        if not invisible and position not in imitations:
            plain.append(character)
            position += 1
            continue
        if plain:
            yield Run("".join(plain))
            plain.clear()
        end = position + 1
        while text[end : end + 1] == character and (unseen or (invisible and end in piled)):
            end += 1
        yield Run(text[position:end], note=_named(character), invisible=invisible)
        position = end
    if plain:
        yield Run("".join(plain))


def is_plain(text: str) -> bool:
    """Whether it is seen at a glance that nothing of the text is marked; else each character is looked at."""
    return _PLAIN.fullmatch(text) is not None or (
        _PLAIN_PROSE.fullmatch(text) is not None and _ADDRESS.search(text) is None
    )


def spelled(text: str) -> str:
    """The text for where nothing can be drawn (mail, terminals, titles): every mark as `[U+202E]`.

    What is invisible is replaced by its mark; a letter that imitates another keeps its place before it.
    """
    return "".join(
        run.text if not run.note else f"{'' if run.invisible else run.text}[{run.code_point}]"
        for run in runs(text)
    )


@lru_cache(maxsize=8_192)
def is_invisible(character: str) -> bool:
    """Whether a character shows nothing, or a blank that is not the ordinary space, or turns direction."""
    if character in _KEPT_CONTROLS or character == " ":
        return False
    category = unicodedata.category(character)
    return (
        category in _MARKED_CATEGORIES
        or category == "Zs"
        or character in _BLANK_LETTERS
        or "VARIATION SELECTOR" in unicodedata.name(character, "")
    )


def _piled_marks(text: str) -> Iterator[int]:
    """Positions of marks that belong to no letter, or are more on one letter than any script puts there."""
    based, combined = False, 0
    for position, character in enumerate(text):
        if character.isascii() or unicodedata.category(character) not in _COMBINING:
            based, combined = not (character.isspace() or is_invisible(character)), 0
            continue
        combined += 1
        if not based or combined > MOST_COMBINED:
            yield position


def _imitating_letters(text: str) -> Iterator[int]:
    for word in _WORD.finditer(text):
        letters = word.group()
        if letters.isascii():
            continue
        mixed = any("a" <= letter.lower() <= "z" for letter in letters)
        address = _ADDRESS.search(letters) is not None
        for offset, letter in enumerate(letters):
            if letter.isascii() or not letter.isalpha():
                continue
            if (mixed and _imitates(letter)) or address:
                yield word.start() + offset


def _imitates(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_IMITATING_SCRIPTS)


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'UNNAMED CHARACTER')}"
