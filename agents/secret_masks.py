"""Finding a secret in a text, in whatever form it turns up, and putting a mark in its place. Pure.

Each character is looked for as itself and as JSON, Python, HTML and URLs write it, any of these several
times over and mixed; the whole is looked for as hexadecimal digits and, at each of the three places it may
begin at, as base64. What is compressed, encrypted or spread over several values is not found.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

VARIABLE: Final = "COUNTERSIGN_SECRET_"
"""What the names of environment variables begin with that give secrets of tools."""
SHORTEST: Final = 8
"""Characters of the shortest secret: a shorter one stands by chance in many texts."""
#: Backslashes of texts within texts; bounded, so that a long row of them is read once.
_ESCAPED: Final = r"\\(?:\\{0,15})"
_PERCENT: Final = "%(?:25)*"
#: Breaks between the lines of base64 and pairs of hexadecimal digits.
_BREAK: Final = rf"(?:\s|{_ESCAPED}[nrt]|{_PERCENT}(?:0[aAdD]|20))*"
_LETTERS: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_BASE64: Final = {
    "+": r"(?:\+|-|%(?:25)*2[bB]|\\u002[bB])",
    "/": r"(?:/|_|\\/|%(?:25)*2[fF]|\\u002[fF])",
}


class SecretMasks:
    """Secrets by name, each at least `SHORTEST` characters long; without any, nothing is changed."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        longest_first = sorted(secrets.items(), key=lambda item: (-len(item[1]), item[0]))
        self._looks = [
            (re.compile(pattern), mark_of(name))
            for name, value in longest_first
            for pattern in _patterns(value)
        ]

    def __bool__(self) -> bool:
        return bool(self._looks)

    def text(self, text: str) -> str:
        """The text with a mark in place of every secret in it."""
        for pattern, mark in self._looks:
            text = pattern.sub(mark, text)
        return text


def mark_of(name: str) -> str:
    """What stands in place of the secret of that name; it is the same in JSON."""
    return f"[secret: {name}]"


@lru_cache(maxsize=4)
def masks_for(secrets: tuple[tuple[str, str], ...]) -> SecretMasks:
    """The masks of these secrets, made once."""
    return SecretMasks(dict(secrets))


def _patterns(value: str) -> list[str]:
    raw = value.encode()
    return [
        "".join(_character(character) for character in value),
        _BREAK.join(_digits(f"{byte:02x}") for byte in raw),
        *(_BREAK.join(_BASE64.get(c, c) for c in _inner(raw, before)) for before in range(3)),
    ]


def _character(character: str) -> str:
    """A character in every form; each begins with a character of its own, which makes looking fast."""
    code = ord(character)
    forms = [re.escape(character), *(rf"{_ESCAPED}{form}" for form in _escapes(character))]
    if character == "\\":
        forms[0] = _ESCAPED
    named = [name for name in (html.escape(character)[1:],) if name]
    digits = [f"#0*{code};", f"#[xX]0*{_digits(f'{code:x}')};"]
    forms += [f"&(?:amp;)*{form}" for form in (*map(re.escape, named), *digits)]
    forms.append("".join(_PERCENT + _digits(f"{byte:02x}") for byte in character.encode()))
    if character == " ":
        forms.append(r"\+")
    return f"(?:{'|'.join(forms)})"


def _escapes(character: str) -> list[str]:
    """What may follow a backslash to mean the character, in JSON and in Python."""
    code, raw = ord(character), character.encode()
    found = [_ESCAPED.join(f"x{_digits(f'{byte:02x}')}" for byte in raw)]
    if character in "\"'/":
        found.append(character)
    if character in _LETTERS:
        found.append(_LETTERS[character])
    if code < 0x1_0000:
        found.append(f"u{_digits(f'{code:04x}')}")
    else:
        pair = character.encode("utf-16-be").hex()
        found += [
            f"u{_digits(pair[:4])}{_ESCAPED}u{_digits(pair[4:])}",
            f"U{_digits(f'{code:08x}')}",
        ]
    return found


def _digits(text: str) -> str:
    """Hexadecimal digits in either case."""
    return "".join(f"[{c}{c.upper()}]" if c in "abcdef" else c for c in text)


def _inner(raw: bytes, before: int) -> str:
    """The characters of base64 that only the secret decides, with so many bytes before it."""
    encoded = base64.b64encode(b"\0" * before + raw).decode()
    first = -(-before * 8 // 6)
    last = (before + len(raw)) * 8 // 6
    return encoded[first:last]
