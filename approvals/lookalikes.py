"""Addresses that lead elsewhere than they seem to: found in what a reviewer is shown, and said in a sentence.

A host may mix letters of scripts that imitate each other (Unicode TR 39, section 5), stand in punycode
(RFC 3492) or in forms that count as others (NFKC; RFC 5895), hold what cannot be seen, or come after a user
name that looks like a host (RFC 3986, section 7.6). A word that only might be an address is left alone
unless it imitates one. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext

from approvals.characters import is_invisible

#: More of them would be a list that nobody reads; the rest is counted.
MOST_WARNINGS: Final = 20
#: A name of the DNS is no longer (RFC 1035, section 2.3.4), and longer text is shown elsewhere anyway.
LONGEST_HOST: Final = 253

_PUNYCODE: Final = "xn--"
#: Dots of other scripts, which part a host like the ordinary one (RFC 3490, section 3.1).
_DOTS: Final = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61", "."))
_WORD: Final = re.compile(r"""[^\s"'<>(),;|{}\[\]“”„«»`]+""")
_PIECE: Final = re.compile(r"(//|\\\\|\bmailto:)?([^/\\?#&=]+)", re.IGNORECASE)
_AROUND: Final = ".!?*_~-+$%:"
_EAST_ASIAN: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})
#: Letters that are drawn like those of a to z, in fonts that pages use.
_LIKE_LATIN: Final = frozenset("асԁеһіјӏкоорԛѕԝхуѵϲοανρτυκιχϳոսցհԍɡıɑɩʟ")


@dataclass(frozen=True)
class Host:
    """A host as it was `written`, and as it `reads` to whoever resolves it (lower case, NFKC, plain dots).

    `sure`: a scheme or an @ says that it is one. `user`: what stands before its @ in an address of the web.
    """

    written: str
    reads: str
    sure: bool
    user: str = ""


def warnings_of(*values: Any) -> list[str]:
    """A sentence for each address in JSON values that is not what it seems, in the order of the texts."""
    found: dict[str, None] = {}
    for text in _texts(values):
        for host in _hosts(text):
            found |= dict.fromkeys(_warnings(host))
    listed = list(found)
    if len(listed) > MOST_WARNINGS:
        more = len(listed) - MOST_WARNINGS
        return [
            *listed[:MOST_WARNINGS],
            gettext("{more} more addresses are not what they seem.").format(more=more),
        ]
    return listed


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _hosts(text: str) -> Iterator[Host]:
    if text.isascii() and "@" not in text and _PUNYCODE not in text.lower():
        return
    for word in _WORD.findall(text):
        if word.isascii() and "@" not in word and _PUNYCODE not in word.lower():
            continue
        yield from _hosts_in(word)


def _hosts_in(word: str) -> Iterator[Host]:
    # Each character by itself, so that every one of the normal form is known to come from one as written.
    normal: list[str] = []
    origin: list[int] = []
    for position, character in enumerate(word):
        for folded in unicodedata.normalize("NFKC", character).translate(_DOTS).lower():
            normal.append(folded)
            origin.append(position)
    for piece in _PIECE.finditer("".join(normal)):
        leads, authority = piece.group(1) or "", piece.group(2)
        user, at, rest = authority.rpartition("@")
        start = piece.start(2) + len(user) + len(at)
        start += len(rest) - len(rest.lstrip(_AROUND))
        reads = rest.lstrip(_AROUND).partition(":")[0].rstrip(_AROUND)
        if not reads or len(reads) > LONGEST_HOST:
            continue
        written = word[origin[start] : origin[start + len(reads) - 1] + 1]
        seen = "".join(letter for letter in reads if not is_invisible(letter))
        if _is_host(seen):
            on_the_web = leads.startswith(("/", "\\"))
            yield Host(written, seen, bool(leads or at), user if on_the_web else "")


def _is_host(reads: str) -> bool:
    labels = reads.split(".")
    return len(labels) > 1 and all(
        label
        and all(letter in "-_" or unicodedata.category(letter)[0] in "LMN" for letter in label)
        for label in labels
    )


def _warnings(host: Host) -> Iterator[str]:
    name = f"“{host.written}”"
    true_name = ".".join(map(_ascii, host.reads.split(".")))
    hides = any(map(is_invisible, host.written))
    if hides:
        yield gettext(
            "{name} holds characters that cannot be seen; it leads to {true_name}."
        ).format(name=name, true_name=true_name)
    elif _is_folded(host) and (host.sure or host.reads.rpartition(".")[2].isascii()):
        yield gettext(
            "{name} is written with characters that count as others; it leads to {true_name}."
        ).format(name=name, true_name=true_name)
    elif any(label.startswith(_PUNYCODE) for label in host.reads.split(".")):
        yield gettext("{name} is written in punycode; {reads}.").format(
            name=name, reads=_decoded(host.reads)
        )
    elif not host.reads.isascii():
        scripts = _scripts(host.reads)
        mixed = len(scripts) > 1 and (host.sure or _imitates(host.reads))
        if mixed:
            yield (
                gettext("{name} mixes letters of {scripts}; its true name is {true_name}.").format(
                    name=name, scripts=" and ".join(scripts), true_name=true_name
                )
            )
        elif host.sure or _imitates(host.reads):
            yield gettext("{name} has letters beyond a to z; its true name is {true_name}.").format(
                name=name, true_name=true_name
            )
    if "." in host.user:
        yield gettext("“{user}@{written}” leads to {true_name}, not to {user}.").format(
            user=host.user, written=host.written, true_name=true_name
        )


def _is_folded(host: Host) -> bool:
    """Whether the host as written is another one than it reads; case aside, and in prose full stops."""
    written = host.written if host.sure else host.written.translate(_DOTS)
    return written.lower() != host.reads


def _imitates(reads: str) -> bool:
    """Whether a part of it could be taken for one of a to z: all of it looks so, or some of it is."""
    if not reads.rpartition(".")[2].isascii():
        return False
    for label in reads.split("."):
        letters = [letter for letter in label if letter.isalpha()]
        beyond = [letter for letter in letters if not letter.isascii()]
        if beyond and all(letter.isascii() or letter in _LIKE_LATIN for letter in letters):
            return True
    return False


def _scripts(reads: str) -> list[str]:
    found: dict[str, None] = {}
    for letter in reads:
        if letter.isalpha():
            script = unicodedata.name(letter, "UNKNOWN").split()[0].partition("-")[0]
            found["East Asian" if script in _EAST_ASIAN else script.capitalize()] = None
    return sorted(found)


def _ascii(label: str) -> str:
    if label.isascii():
        return label
    return _PUNYCODE + unicodedata.normalize("NFC", label).encode("punycode").decode("ascii")


def _decoded(reads: str) -> str:
    labels = []
    for label in reads.split("."):
        try:
            plain = label.removeprefix(_PUNYCODE)
            labels.append(plain.encode("ascii").decode("punycode") if plain != label else label)
        except UnicodeError:
            return gettext("what it stands for cannot be read")
    return gettext("it reads “{labels}”").format(labels=".".join(labels))
