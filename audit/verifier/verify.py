#!/usr/bin/env python3
"""Check an export of a Countersign audit log without trusting whoever made it.

    python3 verify.py EXPORT.zip [--key NAME+HASH+KEY] [--state FILE] [--challenge TEXT] [--witness NAME+HASH+KEY]

Needs Python 3.8 or newer and nothing else: no network, no packages, nothing of the export unpacked.

`--key` is the log's public key as you know it from elsewhere (it may be given again for further keys).
`--state` is a file of your own: the first check writes the log's keys, size and root into it, and each
later check proves that nothing the log held then has been changed or taken away.
`--challenge` is the text that you gave when you asked for the export.
`--witness` is the key of a witness that you trust to have seen the log grow (it may be given again).

Ends with 0 when all that was checked holds, 1 when something does not fit, 2 when it could not be
checked. Do not take this file out of the export that you want to check: take it from the project, or
compare its SHA-256 with one that you know.

Formats: RFC 6962 / RFC 9162 Merkle trees, C2SP checkpoints, signed notes and cosignatures, Ed25519 (RFC 8032),
salted disclosures (RFC 9901), canonical JSON (RFC 8785). What the files hold is described in docs/verify.md.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import csv
import datetime as dt
import hashlib
import json
import os
import re
import struct
import sys
import tempfile
import time
import zlib
from typing import Any, BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Tuple

FORMAT = "countersign-export/1"
PROOFS = "countersign-proofs/1"
CONSISTENCY = "countersign-consistency/1"
STATE = "countersign-verify-state/1"

LONGEST_BODY = 60000
LONGEST_DISCLOSURE = 4 * 1024 * 1024
LARGEST_DOCUMENT = 1024 * 1024
BLOCK = 1024 * 1024


class DoesNotHold(Exception):
    """Something of the export does not fit; the text is a sentence for a person."""


class CannotCheck(Exception):
    """The check could not be made; nothing is said about the export."""


# Ed25519, verification only (RFC 8032, section 5.1.7). Points are (X, Y, Z, T), x = X/Z, y = Y/Z, xy = T/Z.

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_Point = Tuple[int, int, int, int]


def _add(one: _Point, two: _Point) -> _Point:
    a = (one[1] - one[0]) * (two[1] - two[0]) % _P
    b = (one[1] + one[0]) * (two[1] + two[0]) % _P
    c = 2 * one[3] * two[3] * _D % _P
    d = 2 * one[2] * two[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _point(encoded: bytes) -> Optional[_Point]:
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _encoded(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _point(bytes([0x58]) + bytes([0x66]) * 31)


def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the 64 bytes are the signature of the message by the holder of the 32-byte public key."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, s = _point(public), int.from_bytes(signature[32:], "little")
    if key is None or _BASE is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    minus_key = (_P - key[0], key[1], key[2], _P - key[3])
    return _encoded(_add(_times(s, _BASE), _times(k, minus_key))) == signature[:32]


# Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint).


class Key(NamedTuple):
    """A verifier key: the name, the four bytes that name it in signatures, and 32 bytes."""

    name: str
    id: bytes
    public: bytes
    text: str


LOG, WITNESS = 1, 4
LATEST = 253402300799


def key_of(text: str, kind: int = LOG) -> Key:
    """A key of a log, or of a witness, written as `name+hash+base64`; raises CannotCheck."""
    name, _, rest = text.partition("+")
    short, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
        given = bytes.fromhex(short)
    except ValueError:
        raise CannotCheck("%r is not a verifier key: name+hash+base64 is expected." % text[:80])
    if len(data) != 33 or data[0] != kind or not name:
        raise CannotCheck(
            "%r is not an Ed25519 verifier key of a %s."
            % (text[:80], "witness" if kind == WITNESS else "log")
        )
    if hashlib.sha256(name.encode() + b"\n" + data).digest()[:4] != given or len(given) != 4:
        raise CannotCheck("The verifier key of %s is mistyped: its hash does not fit it." % name)
    return Key(name, given, data[1:], text)


def opened_note(note: bytes, what: str) -> Tuple[str, List[Tuple[str, bytes, bytes]]]:
    """The text of a signed note and its signatures as (name, key id, signature); raises DoesNotHold."""
    try:
        text = note.decode("utf-8")
    except UnicodeDecodeError:
        raise DoesNotHold("%s is not text." % what)
    body, gap, tail = text.rpartition("\n\n")
    if not gap or not tail.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise DoesNotHold("%s is not a signed note." % what)
    signatures = []
    for line in tail[:-1].split("\n"):
        words = line.split(" ")
        if len(words) != 3 or words[0] != "\u2014" or not words[1]:
            raise DoesNotHold("%s has a line that is no signature." % what)
        data = _base64(words[2], what)
        if len(data) < 5:
            raise DoesNotHold("%s has a signature that is too short." % what)
        signatures.append((words[1], data[:4], data[4:]))
    return body + "\n", signatures


def signed_by(note: bytes, keys: List[Key], what: str) -> Tuple[str, List[Key]]:
    """The text of a note and those of the keys that signed it; raises DoesNotHold where one signed wrongly."""
    text, signatures = opened_note(note, what)
    found = []
    for name, identity, signature in signatures:
        for key in keys:
            if (key.name, key.id) == (name, identity):
                if not ed25519_verifies(key.public, text.encode(), signature):
                    raise DoesNotHold(
                        "%s was not signed by %s as it stands: it was changed, or the signature was "
                        "made with another key." % (what, name)
                    )
                found.append(key)
    return text, found


def cosigned_by(note: bytes, witness: Key, what: str) -> Optional[int]:
    """When the witness cosigned the checkpoint (C2SP tlog-cosignature, v1), in seconds since 1970; None where it
    did not; raises DoesNotHold where it signed wrongly."""
    text, signatures = opened_note(note, what)
    for name, identity, signature in signatures:
        if (name, identity) != (witness.name, witness.id):
            continue
        seconds = int.from_bytes(signature[:8], "big")
        message = "cosignature/v1\ntime %d\n%s" % (seconds, text)
        if (
            len(signature) != 72
            or seconds > LATEST
            or not ed25519_verifies(witness.public, message.encode(), signature[8:])
        ):
            raise DoesNotHold(
                "%s was not cosigned by %s as it stands: it was changed, or the cosignature was made with "
                "another key." % (what, _said(name))
            )
        return seconds
    return None


class Checkpoint(NamedTuple):
    """What a log's key signs: the log's name, how many leaves it has, and their root."""

    origin: str
    size: int
    root: bytes


def checkpoint_of(text: str) -> Checkpoint:
    """The checkpoint that a note's text is; raises DoesNotHold."""
    lines = text.split("\n")
    if len(lines) != 4 or not lines[0] or not re.match(r"(0|[1-9][0-9]{0,18})\Z", lines[1]):
        raise DoesNotHold("The checkpoint is not written as checkpoints are.")
    root = _base64(lines[2], "The checkpoint's root")
    if len(root) != 32:
        raise DoesNotHold("The checkpoint's root is not a SHA-256.")
    return Checkpoint(lines[0], int(lines[1]), root)


def _base64(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DoesNotHold("%s is not base64." % what)
    if base64.b64encode(data).decode() != text:
        raise DoesNotHold("%s is not base64 as it is written here." % what)
    return data


# Merkle trees (RFC 6962, section 2; RFC 9162, section 2.1).


def leaf_hash(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The root of a tree whose leaves, and complete subtrees in place of some, come from left to right."""

    def __init__(self) -> None:
        self.size = 0
        self._stack: List[Tuple[int, bytes]] = []

    def add(self, level: int, digest: bytes) -> None:
        """Add the complete subtree of 2**level leaves that comes next; ValueError where none can stand."""
        if self.size & ((1 << level) - 1):
            raise ValueError
        self.size += 1 << level
        stack = self._stack
        while stack and stack[-1][0] == level:
            digest = hashlib.sha256(b"\x01" + stack.pop()[1] + digest).digest()
            level += 1
        stack.append((level, digest))

    def root(self) -> bytes:
        """The root of everything added so far."""
        if not self._stack:
            return hashlib.sha256(b"").digest()
        digest = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            digest = node_hash(left, digest)
        return digest


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: List[bytes]) -> bool:
    """Whether the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162, section 2.1.4.2)."""
    if old == 0:
        return not proof and old_root == hashlib.sha256(b"").digest()
    if old == new:
        return not proof and old_root == new_root
    if old > new:
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for each in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(each, fr), node_hash(each, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, each)
        fn, sn = fn >> 1, sn >> 1
    return fr == old_root and sr == new_root and sn == 0


# JSON in the one form that everybody reads alike.


def _pairs(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise ValueError("it holds %s" % text[:20])


def _integer(digits: str) -> int:
    if len(digits) > 17 or not -(2**53) < int(digits) < 2**53:
        raise ValueError("it holds an integer that is not smaller than 2^53")
    return int(digits)


_strict = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_no_number, parse_constant=_no_number, parse_int=_integer
)
# The bytes are compared with the canonical form afterwards, which has no key twice.
_quick = json.JSONDecoder(parse_float=_no_number, parse_constant=_no_number, parse_int=_integer)
_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode
_in_ascii = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def strict_json(data: bytes, what: str, keys: Tuple[str, ...] = ()) -> Dict[str, Any]:
    """The object in the bytes, which must be in canonical form and have these keys; raises DoesNotHold."""
    try:
        value = _strict.decode(data.decode("utf-8"))
        if not isinstance(value, dict):
            raise ValueError("it is no object")
        missing = [key for key in keys if key not in value]
        if missing:
            raise ValueError("%s is missing" % missing[0])
        if _canonical(value).encode("utf-8") != data:
            raise ValueError("it is not in canonical form")
    except (ValueError, RecursionError) as error:
        raise DoesNotHold("%s is not as it is written by the log: %s." % (what, error))
    return value


# The ZIP: stored, nothing between the entries, and each header byte for byte as it must be.

ONLY = ("MANIFEST.json", "MANIFEST.note", "checkpoint", "events.jsonl", "proofs")
LAST = ("disclosures.jsonl", "events.csv", "events.parquet", "verify.py", "README.txt")
COSIGNED = "cosigned"
NEEDED = (*ONLY, "events.csv", "verify.py", "README.txt")
_CONSISTENCY = re.compile(r"consistency/(0|[1-9][0-9]{0,18})\Z")
_CONTENT = re.compile(r"content/([0-9a-f]{64})\Z")
_FAR = 0xFFFFFFFF
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_LONG = struct.Struct("<HHQQ")


def place_of(name: str) -> Optional[Tuple[int, int, str]]:
    """Where an entry stands among the others; None for a name that no export has."""
    if name in ONLY:
        return ONLY.index(name), 0, ""
    if name in LAST:
        return 20 + LAST.index(name), 0, ""
    if name == COSIGNED:
        return 9, 0, ""
    found = _CONSISTENCY.match(name)
    if found:
        return 10, int(found.group(1)), ""
    return (11, 0, name) if _CONTENT.match(name) else None


def local_header(name: str, size: int, crc: int) -> bytes:
    """What stands before an entry's bytes."""
    far = size >= _FAR
    extra = _LONG.pack(1, 16, size, size) if far else b""
    short = _FAR if far else size
    return (
        _LOCAL.pack(
            b"PK\3\4", 45 if far else 20, 0, 0, 0, 33, crc, short, short, len(name), len(extra)
        )
        + name.encode("ascii")
        + extra
    )


def central_header(name: str, size: int, crc: int, offset: int) -> bytes:
    """What stands for an entry in the directory at the end."""
    long_ = [number for number in (size, size, offset) if number >= _FAR]
    extra = struct.pack("<HH%dQ" % len(long_), 1, 8 * len(long_), *long_) if long_ else b""
    size, offset = min(size, _FAR), min(offset, _FAR)
    return (
        struct.pack(
            "<4sHHHHHHIIIHHHHHII",
            b"PK\1\2",
            0x031E,
            45 if long_ else 20,
            0,
            0,
            0,
            33,
            crc,
            size,
            size,
            len(name),
            len(extra),
            0,
            0,
            0,
            0o100644 << 16,
            offset,
        )
        + name.encode("ascii")
        + extra
    )


def end_of_zip(count: int, start: int, size: int) -> bytes:
    """What stands behind the directory of `count` entries and `size` bytes that begins at `start`."""
    far = b""
    if count >= 0xFFFF or start >= _FAR or size >= _FAR:
        far = struct.pack(
            "<4sQHHIIQQQQ", b"PK\6\6", 44, 0x031E, 45, 0, 0, count, count, size, start
        ) + struct.pack("<4sIQI", b"PK\6\7", 0, start + size, 1)
    few, start, size = min(count, 0xFFFF), min(start, _FAR), min(size, _FAR)
    return far + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, few, few, size, start, 0)


class Entry(NamedTuple):
    """One file of the export: where its bytes begin, how many they are, and their SHA-256."""

    name: str
    start: int
    size: int
    sha256: str


class Content(NamedTuple):
    """How many documents there are, and the SHA-256 of their names, a line each."""

    documents: int
    sha256: str


class Spool:
    """Fixed-size records put away on the disk in 32 heaps by their first byte, to look at heap by heap."""

    def __init__(self, record: struct.Struct, stack: contextlib.ExitStack) -> None:
        self._record, self._stack = record, stack
        self._heaps: List[Any] = [None] * 32

    def put(self, first: int, *values: Any) -> None:
        heap = self._heaps[first >> 3]
        if heap is None:
            heap = self._stack.enter_context(tempfile.TemporaryFile())
            self._heaps[first >> 3] = heap
        heap.write(self._record.pack(*values))

    def heaps(self) -> Iterator[Iterator[Tuple[Any, ...]]]:
        """Each heap's records in the order in which they came."""
        for heap in self._heaps:
            yield self._read(heap)

    def _read(self, heap: Any) -> Iterator[Tuple[Any, ...]]:
        if heap is not None:
            heap.seek(0)
        while heap is not None:
            block = heap.read(self._record.size * 4096)
            if not block:
                return
            for values in self._record.iter_unpack(block):
                yield values


_BROKEN = (
    "The ZIP is not byte for byte as an export is written: it was changed, damaged, or packed anew by another "
    "program. "
)


class Bundle:
    """The export's file, looked through once from its first byte to its last."""

    def __init__(self, file: BinaryIO, stack: contextlib.ExitStack) -> None:
        self.file, self.stack = file, stack
        self.length = os.fstat(file.fileno()).st_size
        self.entries: Dict[str, Entry] = {}
        self.names = Spool(struct.Struct("<32s"), stack)
        self.content = Content(0, "")
        self._scan()

    def _take(self, count: int) -> bytes:
        data = self.file.read(count)
        if len(data) != count:
            raise DoesNotHold(_BROKEN + "It ends too early.")
        return data

    def _scan(self) -> None:
        listed, documents, last, count, offset = hashlib.sha256(), 0, None, 0, 0
        while True:
            name, size, crc = self._header(offset)
            if name is None:
                break
            place = place_of(name)
            if place is None:
                raise DoesNotHold("The file %r does not belong into an export." % name[:100])
            if last is not None and place <= last:
                raise DoesNotHold(_BROKEN + "The file %r stands twice or at another place." % name)
            last, count = place, count + 1
            start = self.file.tell()
            digest = self._hash(name, size, crc)
            if place[0] == 11:
                if name[8:] != digest:
                    raise DoesNotHold(
                        "The document %s was changed: its SHA-256 is %s." % (name, digest)
                    )
                listed.update(name.encode() + b"\n")
                documents += 1
                raw = bytes.fromhex(digest)
                self.names.put(raw[0], raw)
            else:
                self.entries[name] = Entry(name, start, size, digest)
            offset = start + size
        self.content = Content(documents, listed.hexdigest())
        self._directory(offset, count)

    def _header(self, offset: int) -> Tuple[Optional[str], int, int]:
        self.file.seek(offset)
        fixed = self.file.read(_LOCAL.size)
        if fixed[:4] != b"PK\3\4":
            if offset == 0:
                raise DoesNotHold("This file is not an export: it is no ZIP that begins with one.")
            return None, 0, 0
        if len(fixed) != _LOCAL.size:
            raise DoesNotHold(_BROKEN + "It ends too early.")
        _, _, flags, method, _, _, crc, size, _, name_length, extra_length = _LOCAL.unpack(fixed)
        if method or flags:
            raise DoesNotHold(_BROKEN + "An entry is compressed, encrypted or marked.")
        if name_length > 100 or extra_length > 20:
            raise DoesNotHold(_BROKEN + "The header at byte %d is too long." % offset)
        raw, extra = self._take(name_length), self._take(extra_length)
        try:
            name = raw.decode("ascii")
        except UnicodeDecodeError:
            raise DoesNotHold("A file name in the ZIP is not as exports name their files.")
        if size == _FAR and len(extra) == 20:
            size = _LONG.unpack(extra)[2]
        if fixed + raw + extra != local_header(name, size, crc):
            raise DoesNotHold(_BROKEN + "The header of %r is not as it must be." % name)
        if offset + size > self.length:
            raise DoesNotHold(_BROKEN + "The file %r is cut off." % name)
        return name, size, crc

    def _hash(self, name: str, size: int, crc: int) -> str:
        digest, sum_, left = hashlib.sha256(), 0, size
        while left:
            block = self._take(min(left, BLOCK))
            digest.update(block)
            sum_ = zlib.crc32(block, sum_)
            left -= len(block)
        if sum_ != crc:
            raise DoesNotHold(
                "The file %s was changed or damaged: its check sum does not fit." % name
            )
        return digest.hexdigest()

    def _directory(self, start: int, count: int) -> None:
        offset, place = 0, start
        for _ in range(count):
            name, size, crc = self._header(offset)
            assert name is not None
            begin = self.file.tell()
            expected = central_header(name, size, crc, offset)
            self.file.seek(place)
            if self.file.read(len(expected)) != expected:
                raise DoesNotHold(_BROKEN + "The directory speaks of %r otherwise." % name)
            place, offset = place + len(expected), begin + size
        self.file.seek(place)
        expected = end_of_zip(count, start, place - start)
        if self.file.read(len(expected)) != expected or self.file.read(1):
            raise DoesNotHold(_BROKEN + "Its end is not as it must be.")

    def read(self, name: str, largest: int = LARGEST_DOCUMENT) -> bytes:
        """A small file whole."""
        entry = self.entries[name]
        if entry.size > largest:
            raise DoesNotHold("The file %s is larger than such a file may be." % name)
        self.file.seek(entry.start)
        return self._take(entry.size)

    def open(self, name: str) -> "Part":
        """A large file, to read piece by piece."""
        return Part(self.file.fileno(), self.entries[name])


class Part:
    """One file of the export, read at a place of its own."""

    def __init__(self, descriptor: int, entry: Entry) -> None:
        self.name = entry.name
        self._descriptor, self._at, self._end = descriptor, entry.start, entry.start + entry.size
        self._rest = b""
        self._from = 0

    def _more(self) -> bool:
        if self._at >= self._end:
            return False
        block = _read_at(self._descriptor, min(BLOCK, self._end - self._at), self._at)
        if not block:
            raise DoesNotHold("The file %s could not be read to its end." % self.name)
        self._at += len(block)
        self._rest, self._from = self._rest[self._from :] + block, 0
        return True

    def line(self, longest: int) -> Optional[bytes]:
        """The next line without its end; None after the last. Every line has an end."""
        while True:
            found = self._rest.find(b"\n", self._from)
            if found >= 0:
                if found - self._from > longest:
                    raise DoesNotHold(
                        "A line of %s is longer than %d bytes." % (self.name, longest)
                    )
                line = self._rest[self._from : found]
                self._from = found + 1
                return line
            if len(self._rest) - self._from > longest:
                raise DoesNotHold("A line of %s is longer than %d bytes." % (self.name, longest))
            if not self._more():
                if len(self._rest) > self._from:
                    raise DoesNotHold("The last line of %s has no end." % self.name)
                return None

    def take(self, count: int) -> bytes:
        """The next bytes; fewer at the end."""
        while len(self._rest) - self._from < count and self._more():
            pass
        data = self._rest[self._from : self._from + count]
        self._from += len(data)
        return data


def _read_at(descriptor: int, count: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, count)


# The table that is derived from the events.

COLUMNS = (
    ("id", ("id",)),
    ("time", ("time",)),
    ("type", ("type",)),
    ("stream", ("stream",)),
    ("seq", ("seq",)),
    ("prev", ("prev",)),
    ("leaf_hash", ()),
    ("actor_kind", ("actor", "kind")),
    ("actor_id", ("actor", "id")),
    ("actor_auth", ("actor", "auth")),
    ("agent", ("agent", "slug")),
    ("agent_version", ("agent", "version")),
    ("run", ("agent", "run")),
    ("request", ("request",)),
    ("tool", ("action", "tool")),
    ("risk", ("action", "risk")),
    ("confidence_bp", ("action", "confidence_bp")),
    ("policy_version", ("policy", "version")),
    ("policy_sha256", ("policy", "sha256")),
    ("policy_rule", ("policy", "rule")),
    ("decision", ("outcome", "decision")),
    ("meaning", ("outcome", "meaning")),
    ("reason_code", ("outcome", "reason_code")),
    ("facts", ("facts",)),
    ("disclosures", ("_sd",)),
)
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_NOTHING: Dict[str, Any] = {}


def cells_of(event: Dict[str, Any], leaf: str) -> List[str]:
    """The event as the cells of its row, none of which a spreadsheet runs."""
    return defused(texts_of(event, leaf))


def defused(texts: List[str]) -> List[str]:
    return ["'" + text if text.startswith(_RUN_BY_SPREADSHEETS) else text for text in texts]


def texts_of(event: Dict[str, Any], leaf: str) -> List[str]:
    """The event's values as texts, by column."""
    row = []
    for _, path in COLUMNS:
        if len(path) == 1:
            value = event.get(path[0])
        elif path:
            value = event.get(path[0], _NOTHING)
            value = value.get(path[1]) if isinstance(value, dict) else None
        else:
            value = "sha256:" + leaf
        if value is None:
            text = ""
        elif isinstance(value, (dict, list)):
            text = _in_ascii(value)
        else:
            text = str(value)
        row.append(text)
    return row


def csv_line(cells: List[str]) -> bytes:
    """RFC 4180, everything quoted."""
    return ('"' + '","'.join([cell.replace('"', '""') for cell in cells]) + '"\r\n').encode("utf-8")


class Table:
    """events.csv, compared cell by cell with what the events say."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._row = 0
        self.compare([name for name, _ in COLUMNS])

    def compare(self, cells: List[str]) -> None:
        self._row += 1
        expected = csv_line(cells)
        found = self._part.take(len(expected))
        if found != expected:
            self._name_the_cell(cells, found)

    def _name_the_cell(self, cells: List[str], found: bytes) -> None:
        text = (found + self._part.take(2 * LONGEST_BODY)).decode("utf-8", "replace")
        try:
            row = next(csv.reader(text.splitlines(True), strict=True))
        except (csv.Error, StopIteration):
            row = []
        if len(row) == len(cells):
            for (name, _), cell, expected in zip(COLUMNS, row, cells):
                if cell != expected:
                    raise DoesNotHold(
                        "events.csv differs from the events: in line %d, the cell %s says %r and the event %r."
                        % (self._row, name, cell[:80], expected[:80])
                    )
        raise DoesNotHold("Line %d of events.csv is not written as the event says." % self._row)

    def end(self) -> None:
        if self._part.take(1):
            raise DoesNotHold("events.csv has more lines than there are events.")


# What binds events together.

# With these a story ends. What may come after them is said in docs/verify.md.
ENDS = (
    "run.ended",
    "run.cancelled",
    "request.expired",
    "request.superseded",
    "request.cancelled",
    "approval.lapsed",
    "effect.succeeded",
    "effect.failed",
    "effect.confirmed",
    "effect.bounced",
    "effect.resolved",
    "effect.compensated",
)


def ends_story(event: Dict[str, Any]) -> bool:
    """Whether a run's or request's story ends with this event: nothing has to follow it any more."""
    if event["type"] == "request.decided":
        facts = event.get("facts")
        return isinstance(facts, dict) and facts.get("state") in ("rejected", "answered")
    return event["type"] in ENDS


def documents_named(event: Dict[str, Any]) -> Iterator[Tuple[str, str]]:
    """The digests in the event itself that stand for whole documents, and for what."""
    for part, key in (("policy", "sha256"), ("agent", "version")):
        holder = event.get(part)
        value = holder.get(key) if isinstance(holder, dict) else None
        if is_digest(value):
            yield str(value), part


def is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"sha256:[0-9a-f]{64}\Z", value) is not None


def disclosure_digest(encoded: str) -> str:
    """The digest that stands for a disclosure (RFC 9901, section 4.2.3)."""
    return base64.urlsafe_b64encode(hashlib.sha256(encoded.encode()).digest()).rstrip(b"=").decode()


def read_disclosure(encoded: str) -> Tuple[str, Any]:
    """Name and value of a disclosure; ValueError where it is none."""
    data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_no_number)
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[1], str):
        raise ValueError("it is not [salt, name, value]")
    return value[1], value[2]


class Streams:
    """Numbers and links of every story, put away while reading and looked at afterwards."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._spool = Spool(struct.Struct("<16sqq32s32s"), stack)

    def put(self, line: int, event: Dict[str, Any], leaf: bytes) -> None:
        name = hashlib.sha256(event["stream"].encode()).digest()[:16]
        prev = event.get("prev")
        before = bytes.fromhex(str(prev)[7:]) if is_digest(prev) else bytes(32)
        seq = event["seq"]
        if type(seq) is not int or not 0 < seq < 2**53 or (seq == 1) != (prev is None):
            raise DoesNotHold(
                "Event %s has a number in its story that does not fit." % event.get("id")
            )
        self._spool.put(name[0], name, seq, line, before, leaf)

    def check(self, whole: bool, from_start: bool) -> Tuple[int, int]:
        """How many stories there are, and in how many of them events are left out; raises DoesNotHold."""
        stories = holes = 0
        for heap in self._spool.heaps():
            last: Dict[bytes, Tuple[int, int, bytes]] = {}
            broken = set()
            for name, seq, line, before, leaf in heap:
                known = last.get(name)
                if known is None:
                    if seq != 1:
                        if from_start:
                            raise DoesNotHold(
                                "The event in line %d is number %d of its story, and those before it are "
                                "missing although the log is here from its beginning." % (line, seq)
                            )
                        broken.add(name)
                elif seq <= known[0]:
                    raise DoesNotHold(
                        "The event in line %d is number %d of its story and stands after number %d of it, in "
                        "line %d: the order was changed." % (line, seq, known[0], known[1])
                    )
                elif seq != known[0] + 1:
                    if whole:
                        raise DoesNotHold(
                            "A story goes from number %d in line %d to number %d in line %d: what lay between "
                            "was taken out." % (known[0], known[1], seq, line)
                        )
                    broken.add(name)
                elif before != known[2]:
                    raise DoesNotHold(
                        "The event in line %d does not follow from the one before it in its story, in line %d: "
                        "one of them was changed after it was written." % (line, known[1])
                    )
                last[name] = (seq, line, leaf)
            stories += len(last)
            holes += len(broken)
        return stories, holes


class Disclosures:
    """disclosures.jsonl, read along with the events; None of it where it was left out."""

    def __init__(self, part: Optional[Part]) -> None:
        self._part = part
        self.given = part is not None
        self.opened = self.missing = 0
        self._event = self._encoded = ""
        self._next()

    def _next(self) -> None:
        line = self._part.line(LONGEST_DISCLOSURE) if self._part else None
        if line is None:
            self._event = ""
            return
        read = strict_json(line, "A line of disclosures.jsonl", ("disclosure", "event"))
        self._event, self._encoded = read["event"], read["disclosure"]
        if not (isinstance(self._event, str) and self._event and isinstance(self._encoded, str)):
            raise DoesNotHold("A line of disclosures.jsonl is not as it is written by the log.")

    def of(self, event: Dict[str, Any]) -> Iterator[Tuple[str, Any]]:
        """Names and values of an event's disclosures, each bound into the event; raises DoesNotHold."""
        bound = event.get("_sd", [])
        if not isinstance(bound, list):
            raise DoesNotHold("Event %s does not hold its digests as a list." % event.get("id"))
        there = set()
        while self._event and self._event == event.get("id"):
            digest = disclosure_digest(self._encoded)
            if digest not in bound or digest in there:
                raise DoesNotHold(
                    "A disclosure of event %s is not the one that was bound into it: it was changed or put "
                    "in afterwards." % self._event
                )
            there.add(digest)
            try:
                found = read_disclosure(self._encoded)
            except (ValueError, RecursionError) as error:
                raise DoesNotHold(
                    "A disclosure of event %s cannot be read: %s." % (self._event, error)
                )
            self.opened += 1
            self._next()
            yield found
        self.missing += len(bound) - len(there)

    def end(self) -> None:
        if self._event:
            raise DoesNotHold(
                "disclosures.jsonl speaks of event %s, which is not here or stands at another place."
                % self._event[:50]
            )


class Proofs:
    """The proofs: which leaves are the events, and the hashes that stand for everything between them."""

    def __init__(self, part: Part, size: int) -> None:
        self._part = part
        if part.line(100) != PROOFS.encode() or part.line(100) != b"size %d" % size:
            raise DoesNotHold(
                "The proofs are not those of this checkpoint, or of a format that is not known."
            )

    def items(self) -> Iterator[Tuple[int, int, bytes]]:
        """(how many events come next, 0, b"") or (0, level, hash of a complete subtree)."""
        while True:
            line = self._part.line(100)
            if line is None:
                return
            words = line.decode("ascii", "replace").split(" ")
            if words[0] == "leaves" and len(words) == 2 and re.match(r"[1-9]\d{0,18}\Z", words[1]):
                yield int(words[1]), 0, b""
            elif (
                words[0] == "node"
                and len(words) == 3
                and re.match(r"(0|[1-9]\d?)\Z", words[1])
                and re.match(r"[0-9a-f]{64}\Z", words[2])
            ):
                yield 0, int(words[1]), bytes.fromhex(words[2])
            else:
                raise DoesNotHold("The proofs have a line that is not written as proofs are.")


class Earlier(NamedTuple):
    """An event that says that it is from long before one that stands before it in the log."""

    line: int
    time: str
    after: str


class Times:
    """Whether events stand in the order of their times, but for as long as a transaction may take."""

    def __init__(self) -> None:
        self._newest = self._long_before = ""
        self.earlier = 0
        self.first: Optional[Earlier] = None

    def put(self, line: int, time: str) -> None:
        """The next event's time; ValueError where it is none."""
        if time > self._newest:
            if time[:16] != self._newest[:16]:
                self._long_before = _an_hour_before(time)
            self._newest = time
        elif time < self._long_before:
            self.earlier += 1
            self.first = self.first or Earlier(line, time, self._newest)


def _an_hour_before(time: str) -> str:
    try:
        minute = dt.datetime.strptime(time[:16] + "+0000", "%Y-%m-%dT%H:%M%z")
        return (minute - dt.timedelta(hours=1)).isoformat()[:16]
    except (ValueError, OverflowError):
        raise ValueError("its time is none")


class Seen(NamedTuple):
    """What looking at every event showed."""

    events: int
    runs: List[Tuple[int, int]]
    stories: int
    holes: int
    only_stream: Optional[str]
    last: Optional[Dict[str, Any]]
    disclosures: Disclosures
    times: Times
    marked_root: Optional[bytes]
    named: int
    absent: int


class Events:
    """One pass over events, proofs, disclosures and table, side by side, at flat memory."""

    def __init__(self, bundle: Bundle, checkpoint: Checkpoint, mark: Optional[int]) -> None:
        self._bundle, self._checkpoint, self._mark = bundle, checkpoint, mark
        self._tree = Tree()
        self._lines = bundle.open("events.jsonl")
        self._table = Table(bundle.open("events.csv"))
        given = "disclosures.jsonl" in bundle.entries
        self._disclosures = Disclosures(bundle.open("disclosures.jsonl") if given else None)
        self._streams = Streams(bundle.stack)
        self._times = Times()
        self._named = Spool(struct.Struct("<32s"), bundle.stack)
        self._count = 0
        self._stream: Optional[str] = None
        self._mixed = False
        self._last: Optional[Dict[str, Any]] = None

    def check(self) -> Seen:
        runs: List[Tuple[int, int]] = []
        marked = self._tree.root() if self._mark == 0 else None
        for events, level, digest in Proofs(
            self._bundle.open("proofs"), self._checkpoint.size
        ).items():
            if events:
                if runs and runs[-1][1] == self._tree.size:
                    raise DoesNotHold("The proofs have a line that is not written as proofs are.")
                if self._tree.size + events > self._checkpoint.size:
                    raise DoesNotHold("The proofs speak of more events than the checkpoint covers.")
                if len(runs) < 2:
                    runs.append((self._tree.size, self._tree.size + events))
                else:
                    runs[1] = (runs[1][0], self._tree.size + events)
                for _ in range(events):
                    self._event()
                    if self._tree.size == self._mark:
                        marked = self._tree.root()
            else:
                try:
                    self._tree.add(level, digest)
                except ValueError:
                    raise DoesNotHold("The proofs have a hash where none can stand.")
                if self._tree.size == self._mark:
                    marked = self._tree.root()
        if self._lines.line(LONGEST_BODY) is not None:
            raise DoesNotHold(
                "events.jsonl has more events than the proofs: they are not of the log."
            )
        whole = len(runs) == 1
        self._root(whole, runs)
        self._table.end()
        self._disclosures.end()
        stories, holes = self._streams.check(whole, whole and runs[0][0] == 0)
        named, absent = self._documents()
        return Seen(
            self._count,
            runs,
            stories,
            holes,
            None if self._mixed else self._stream,
            self._last,
            self._disclosures,
            self._times,
            marked,
            named,
            absent,
        )

    def _event(self) -> None:
        body = self._lines.line(LONGEST_BODY)
        if body is None:
            raise DoesNotHold(
                "events.jsonl ends after %d events and the proofs speak of more: events were taken out."
                % self._count
            )
        self._count += 1
        leaf = hashlib.sha256(b"\x00" + body).digest()
        self._tree.add(0, leaf)
        try:
            text = body.decode("utf-8")
            event = _quick.decode(text)
            if _canonical(event) != text:
                raise ValueError("it is not in canonical form")
            if not isinstance(event["id"], str) or not isinstance(event["type"], str):
                raise ValueError("its id and type are no texts")
            if event["stream"] != self._stream:
                self._mixed = self._mixed or self._stream is not None
                self._stream = event["stream"]
                if not isinstance(self._stream, str):
                    raise ValueError("its story has no name")
            self._streams.put(self._count, event, leaf)
            self._times.put(self._count, event["time"])
            self._table.compare(cells_of(event, leaf.hex()))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DoesNotHold(
                "Line %d of events.jsonl is no event as the log writes them: %s."
                % (self._count, error)
            )
        for digest, _ in documents_named(event):
            self._refers_to(digest)
        for name, value in self._disclosures.of(event):
            if name.endswith("_sha256") and is_digest(value):
                self._refers_to(value)
        self._last = event

    def _refers_to(self, digest: str) -> None:
        raw = bytes.fromhex(digest[7:])
        self._named.put(raw[0], raw)

    def _root(self, whole: bool, runs: List[Tuple[int, int]]) -> None:
        if self._tree.size == self._checkpoint.size and self._tree.root() == self._checkpoint.root:
            return
        sentence = (
            "The events do not lead to the root that the checkpoint signs: an event was changed, taken out, put "
            "in or moved after the log was sealed."
        )
        try:
            self._streams.check(whole, whole and runs[0][0] == 0)
        except DoesNotHold as found:
            sentence += " " + str(found)
        raise DoesNotHold(sentence)

    def _documents(self) -> Tuple[int, int]:
        named = absent = 0
        for wanted, there in zip(self._named.heaps(), self._bundle.names.heaps()):
            found = {digest for (digest,) in there}
            asked = {digest for (digest,) in wanted}
            named += len(asked)
            absent += len(asked - found)
            if found - asked and self._disclosures.given:
                raise DoesNotHold(
                    "The document content/%s is here and no event speaks of it."
                    % min(found - asked).hex()
                )
        return named, absent


_MANIFEST_KEYS = (
    "asked_at",
    "challenge",
    "checkpoint",
    "completeness",
    "consistency",
    "content",
    "disclosures",
    "events",
    "export",
    "files",
    "filter",
    "format",
    "keys",
    "not_sealed",
    "origin",
    "parquet",
    "redacted",
)
_SHAPES: Dict[str, Any] = {
    "challenge": (str, type(None)),
    "checkpoint": dict,
    "completeness": dict,
    "consistency": list,
    "content": dict,
    "disclosures": dict,
    "events": int,
    "files": dict,
    "filter": dict,
    "keys": list,
    "not_sealed": int,
    "parquet": dict,
    "redacted": (int, type(None)),
}


def read_manifest(bundle: Bundle) -> Dict[str, Any]:
    """The manifest, after every file was held against it; raises DoesNotHold or CannotCheck."""
    for name in NEEDED:
        if name not in bundle.entries:
            raise DoesNotHold("The file %s is missing from the export." % name)
    manifest = strict_json(bundle.read("MANIFEST.json"), "MANIFEST.json", ("format",))
    if manifest["format"] != FORMAT:
        raise CannotCheck(
            "This export has the format %r, and this program knows %s. Use the verify.py of a newer release."
            % (manifest["format"], FORMAT)
        )
    for key in _MANIFEST_KEYS:
        shape = _SHAPES.get(key, str)
        if not isinstance(manifest.get(key, True), shape) or manifest.get(key, True) is True:
            raise DoesNotHold("MANIFEST.json is not as it is written by the log: see %s." % key)
    files = {
        name: {"bytes": entry.size, "sha256": entry.sha256}
        for name, entry in bundle.entries.items()
        if name not in ("MANIFEST.json", "MANIFEST.note")
    }
    for name in sorted({*files, *manifest["files"]}):
        if name not in files:
            raise DoesNotHold("The file %s stands in the manifest and not in the export." % name)
        if name not in manifest["files"]:
            raise DoesNotHold("The file %s stands in the export and not in the manifest." % name)
        if manifest["files"][name] != files[name]:
            raise DoesNotHold(
                "The file %s is not the one that the manifest was written for." % name
            )
    content = manifest["content"]
    if (content.get("documents"), content.get("sha256")) != bundle.content:
        raise DoesNotHold("The documents in content/ are not those that the manifest speaks of.")
    return manifest


class State(NamedTuple):
    """What the auditor knows from the last check."""

    origin: str
    keys: List[Key]
    size: int
    root: bytes
    asked_at: str


def read_state(path: str) -> Optional[State]:
    """The auditor's state file; None where there is none yet. Raises CannotCheck."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_DOCUMENT)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotCheck("The state file cannot be read: %s." % error.strerror)
    try:
        read = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs)
        if read["format"] != STATE or type(read["size"]) is not int:
            raise ValueError
        root = bytes.fromhex(read["root"])
        keys = [key_of(text) for text in read["keys"]]
        return State(str(read["origin"]), keys, read["size"], root, str(read["asked_at"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CannotCheck("The state file is not one that this program wrote: %s" % path)


def write_state(path: str, checkpoint: Checkpoint, keys: List[Key], asked_at: str) -> None:
    """Remember the checkpoint and who signed it, in place of what was known before."""
    data = json.dumps(
        {
            "format": STATE,
            "origin": checkpoint.origin,
            "keys": [key.text for key in keys],
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "asked_at": asked_at,
        },
        indent=2,
    )
    try:
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(data + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)
    except OSError as error:
        raise CannotCheck("The state file cannot be written: %s." % error.strerror)


class Verdict:
    """What was found, in sentences."""

    def __init__(self) -> None:
        self.proved: List[str] = []
        self.open: List[str] = []


class Check:
    """One check of one export from front to end."""

    def __init__(
        self,
        file: BinaryIO,
        stack: contextlib.ExitStack,
        keys: List[Key],
        state: Optional[State],
        challenge: Optional[str],
        witnesses: Optional[List[Key]] = None,
    ) -> None:
        self._keys, self._state, self._challenge = keys, state, challenge
        self._witnesses = witnesses or []
        self.verdict = Verdict()
        # The log that this one took over from, where the state file is about that one.
        self._follows = ""
        self._bundle = Bundle(file, stack)
        self.manifest = read_manifest(self._bundle)
        self.checkpoint, self.signers = self._signatures()

    def run(self) -> None:
        """Raises DoesNotHold or CannotCheck; fills the verdict otherwise."""
        self._is_fresh()
        self._is_not_behind()
        mark = self._state.size if self._state else None
        seen = Events(self._bundle, self.checkpoint, mark).check()
        if seen.events != self.manifest["events"]:
            raise DoesNotHold("The manifest speaks of another number of events than there are.")
        self._completeness(seen)
        self._in_time(seen.times)
        self._history(seen)
        self._cosigned()
        self._disclosures(seen)
        self._documents(seen)
        self._rest()

    def _signatures(self) -> Tuple[Checkpoint, List[Key]]:
        say = self.verdict
        try:
            offered = [key_of(str(text)) for text in self.manifest["keys"]]
        except CannotCheck as error:
            raise DoesNotHold("The manifest has a key that cannot be used. %s" % error)
        trusted = self._keys + (self._state.keys if self._state else [])
        known = trusted or offered
        every = trusted + [key for key in offered if key not in trusted]
        self._every, self._known = every, known
        note = self._bundle.read("MANIFEST.note")
        text, manifest_signers = signed_by(note, every, "MANIFEST.note")
        digest = self._bundle.entries["MANIFEST.json"].sha256
        if text != "%s\n%s\nsha256:%s\n" % (FORMAT, self.manifest["origin"], digest):
            raise DoesNotHold(
                "MANIFEST.json is not the one that was signed: it was changed or exchanged."
            )
        text, signers = signed_by(self._bundle.read("checkpoint"), every, "The checkpoint")
        checkpoint = checkpoint_of(text)
        if self._state and self._state.origin != checkpoint.origin:
            self._follows = self._state.origin
            # Only you can say that another log took over: the key that you give says it.
            known = self._keys
        if self._follows and not any(key in known for key in signers):
            raise DoesNotHold(
                "This is an export of the log %s, and your state file is about %s. If the one took over from the "
                "other, ask for its key on another way and give it with --key."
                % (_said(checkpoint.origin), _said(self._follows))
            )
        for found, what in ((manifest_signers, "manifest"), (signers, "checkpoint")):
            # A witness may sign beside the log, and not in its place.
            if not any(key in known and key.name == checkpoint.origin for key in found):
                raise DoesNotHold(
                    "The %s is not signed by a key that you trust: somebody else made it, or the log has a new "
                    "key. Ask for the key on another way and give it with --key." % what
                )
        told = self.manifest["checkpoint"]
        if checkpoint.origin != self.manifest["origin"] or (
            told.get("size"),
            told.get("root"),
        ) != (checkpoint.size, checkpoint.root.hex()):
            raise DoesNotHold(
                "The manifest speaks of another checkpoint than the one that is here."
            )
        own = [key for key in signers if key in known and key.name == checkpoint.origin]
        say.proved.append(
            "The checkpoint of the log %s, with %d events in it, and the manifest are signed by %s."
            % (_said(checkpoint.origin), checkpoint.size, _said(own[0].text))
        )
        if not trusted:
            say.open.append(
                "That this key is the log's: nobody but the export says so. Compare it with the key that you were "
                "given on another way, and give it with --key, or keep a state file with --state."
            )
        return checkpoint, signers

    def _is_fresh(self) -> None:
        asked = _said(self.manifest["asked_at"])
        if self._challenge is None:
            self.verdict.open.append(
                "That this export is new: it says that it was asked for at %s. Give a challenge when you ask for "
                "one, and here, to be sure." % asked
            )
        elif self._challenge != self.manifest["challenge"]:
            raise DoesNotHold(
                "This export does not answer your challenge: it was made for %s, at %s. An old export is shown as "
                "a new one, or another one." % (_quoted(self.manifest["challenge"]), asked)
            )
        else:
            self.verdict.proved.append(
                "The export was made after you gave the challenge %s." % _quoted(self._challenge)
            )

    def _is_not_behind(self) -> None:
        state, size = self._state, self.checkpoint.size
        if state is None:
            return
        if size < state.size:
            raise DoesNotHold(
                "The log had %d events when you checked last and has %d in this export, asked for at %s: its tail "
                "was cut, or an old export is shown as a new one."
                % (state.size, size, _said(self.manifest["asked_at"]))
            )
        if size == state.size and self.checkpoint.root != state.root:
            raise DoesNotHold(_REWRITTEN % state.size)

    def _history(self, seen: Seen) -> None:
        state = self._state
        for size in self.manifest["consistency"]:
            self._consistency(size)
        if state is None:
            self.verdict.open.append(
                "That the log was not rewritten before this export: keep a state file with --state, and the next "
                "check will prove it."
            )
            return
        name = "consistency/%d" % state.size
        if self.checkpoint.size == state.size:
            pass
        elif name in self._bundle.entries:
            proof = _consistency_proof(self._bundle, state.size, self.checkpoint)
            if not consistent(
                state.size, state.root, self.checkpoint.size, self.checkpoint.root, proof
            ):
                raise DoesNotHold(_REWRITTEN % state.size)
        elif seen.marked_root is None:
            raise CannotCheck(
                "This export has no proof from the %d events of your last check to the %d of now. Ask for an "
                "export with since_size=%d." % (state.size, self.checkpoint.size, state.size)
            )
        elif seen.marked_root != state.root:
            raise DoesNotHold(_REWRITTEN % state.size)
        self.verdict.proved.append(
            "Nothing that the log held when you checked last (%d events) has been changed or taken away."
            % state.size
        )
        if self._follows:
            self.verdict.proved.append(
                "This log took over from %s, which you checked last, and goes on from what that one held."
                % _said(self._follows)
            )

    def _consistency(self, size: Any) -> None:
        """The old root is not known here, but what a proof says about the new one is looked at all the same."""
        if type(size) is not int or "consistency/%d" % size not in self._bundle.entries:
            raise DoesNotHold("The manifest speaks of a proof of consistency that is not here.")
        _consistency_proof(self._bundle, size, self.checkpoint)

    def _cosigned(self) -> None:
        """The newest checkpoint that witnesses had cosigned, and that this export's continues it."""
        if COSIGNED not in self._bundle.entries:
            if self._witnesses:
                raise CannotCheck(
                    "This export holds no checkpoint that a witness cosigned. Ask for another one later."
                )
            return
        what = "The cosigned checkpoint"
        note = self._bundle.read(COSIGNED)
        text, signers = signed_by(note, self._every, what)
        if not any(key in self._known for key in signers):
            raise DoesNotHold("%s is not signed by a key that you trust." % what)
        seen, now = checkpoint_of(text), self.checkpoint
        if seen.origin != now.origin or seen.size > now.size:
            raise DoesNotHold("%s is not one of this log before this export." % what)
        if seen.size == now.size:
            continues = seen.root == now.root
        else:
            if "consistency/%d" % seen.size not in self._bundle.entries:
                raise DoesNotHold(
                    "The proof that the log continues the cosigned checkpoint is missing."
                )
            proof = _consistency_proof(self._bundle, seen.size, now)
            continues = consistent(seen.size, seen.root, now.size, now.root, proof)
        if not continues:
            raise DoesNotHold(
                "The log of this export does not begin with the %d events that were cosigned: it was rewritten "
                "and signed anew." % seen.size
            )
        for witness in self._witnesses:
            moment = cosigned_by(note, witness, what)
            if moment is None:
                raise CannotCheck("%s has no cosignature by %s." % (what, _said(witness.text)))
            self.verdict.proved.append(
                "The witness %s saw the first %d events of this log at %s, and that it had only grown since it "
                "first saw it."
                % (
                    _said(witness.name),
                    seen.size,
                    time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)),
                )
            )
        if not self._witnesses:
            self.verdict.open.append(
                "What witnesses signed: give the key of one that you trust with --witness."
            )

    def _completeness(self, seen: Seen) -> None:
        say, told = self.verdict, self.manifest["completeness"]
        kind = told.get("kind")
        say.proved.append(
            "Each of the %d events stands in the log under this checkpoint, byte for byte."
            % seen.events
        )
        if kind == "range":
            self._range(seen, told)
            if self.manifest["filter"]:
                say.open.append(
                    "That no event of the time asked for (%s) stands at another place of the log: which places "
                    "belong to it is the log's own word."
                    % _said(_in_ascii(self.manifest["filter"]))
                )
        elif kind == "story":
            self._story(seen, told)
        elif kind == "selection":
            say.open.append(
                "That nothing is left out: the events were chosen (%s), and a choice proves only that each of them "
                "is in the log." % _said(_in_ascii(self.manifest["filter"]))
            )
        else:
            raise DoesNotHold("The manifest does not say how complete the export is.")
        if seen.events:
            say.proved.append(
                "The events of %d stories follow each other unchanged and in order%s."
                % (
                    seen.stories,
                    "; of %d of them not all events are here" % seen.holes if seen.holes else "",
                )
            )

    def _in_time(self, times: Times) -> None:
        if times.first is not None:
            self.verdict.open.append(
                "When %d of the events were written: the one in line %d says %s, and stands after one of %s. It was "
                "put in later with an earlier time, or the log's clock was set back."
                % (
                    times.earlier,
                    times.first.line,
                    _said(times.first.time),
                    _said(times.first.after),
                )
            )

    def _range(self, seen: Seen, told: Dict[str, Any]) -> None:
        first, end, size = told.get("first"), told.get("end"), self.checkpoint.size
        dropped, runs = told.get("dropped"), seen.runs
        if not (
            type(first) is type(end) is type(dropped) is int
            and 0 <= first <= end <= size
            and (not runs or (first <= runs[0][0] and runs[-1][1] <= end))
        ):
            raise DoesNotHold(
                "The manifest speaks of another range of places than its events have."
            )
        missing = end - first - seen.events
        if missing != dropped:
            raise DoesNotHold(
                "The export says that it is whole from place %d to place %d of the log, and it is not: events are "
                "missing at %d places. The log still holds their hashes: they were deleted, or left out."
                % (first, max(first, end - 1), missing - dropped)
            )
        whole = (first, end) == (0, size)
        if missing:
            self.verdict.open.append(
                "What stood at %d places of the log: it says that those events were dropped after their time, and "
                "their hashes are all that is left. An event of the type retention.dropped has to say so."
                % missing
            )
        elif whole:
            self.verdict.proved.append(
                "They are the whole log up to the checkpoint: none is left out."
            )
        else:
            self.verdict.proved.append(
                "They are whole from place %d to place %d of the %d places of the log: none between is left out."
                % (first, max(first, end - 1), size)
            )

    def _story(self, seen: Seen, told: Dict[str, Any]) -> None:
        ended = seen.last is not None and ends_story(seen.last)
        if seen.events and (seen.only_stream != told.get("stream") or seen.holes):
            raise DoesNotHold(
                "The export says that it is one whole story, and it is not: events of it are missing, or others are "
                "here."
            )
        if ended is not told.get("ended"):
            raise DoesNotHold("The export says otherwise than its events whether the story ended.")
        name = _said(str(told.get("stream")))
        if ended:
            self.verdict.proved.append(
                "The story %s is whole from its first event to number %d, with which it ended."
                % (name, seen.events)
            )
            self.verdict.open.append(
                "What was added to the story after its end, such as an undo, a comment or an auditor's look."
            )
        else:
            self.verdict.open.append(
                "That the story %s is whole: it has not ended, so that its newest events could be missing."
                % name
            )

    def _disclosures(self, seen: Seen) -> None:
        found, told = seen.disclosures, self.manifest["disclosures"]
        if bool(told.get("included")) is not found.given:
            raise DoesNotHold("The manifest says otherwise whether disclosures are here.")
        if not found.given:
            self.verdict.open.append(
                "What stands for the digests of personal data and free text: %s"
                % _said(str(told.get("why")))
            )
            return
        if found.missing != self.manifest["redacted"] or found.opened != told.get("count"):
            raise DoesNotHold(
                "%d disclosures are missing and the manifest says that %s were erased: some were left out."
                % (found.missing, self.manifest["redacted"])
            )
        self.verdict.proved.append(
            "%d disclosures are the ones that were bound into their events; %d more were erased."
            % (found.opened, found.missing)
        )

    def _documents(self, seen: Seen) -> None:
        content = self._bundle.content
        if seen.absent != self.manifest["content"].get("absent"):
            raise DoesNotHold(
                "%d documents that the events speak of are not here, and the manifest says %s: some were left out."
                % (seen.absent, self.manifest["content"].get("absent"))
            )
        if content.documents:
            self.verdict.proved.append(
                "The %d documents in content/ are the ones that the events speak of, byte for byte."
                % content.documents
            )
        if seen.absent:
            self.verdict.open.append(
                "What %d more digests stand for: those documents are not in this export."
                % seen.absent
            )

    def _rest(self) -> None:
        say = self.verdict
        say.proved.append("events.csv says in every cell what the events say.")
        if "events.parquet" in self._bundle.entries:
            say.open.append(
                "What events.parquet holds: it is the file that the manifest names, and was not compared with the "
                "events."
            )
        if self.manifest["not_sealed"]:
            say.open.append(
                "Anything about %d events that were not sealed yet and are not in this export."
                % self.manifest["not_sealed"]
            )
        say.open.append(
            "That what the events say was true when it was written. They have not been changed since they were "
            "sealed."
        )


_REWRITTEN = (
    "The log is not the one that you checked last: among the first %d events something was changed, taken away or "
    "put in, and the log was signed anew. Keep both exports: together they show it."
)


def _consistency_proof(bundle: Bundle, old: int, checkpoint: Checkpoint) -> List[bytes]:
    name = "consistency/%d" % old
    lines = bundle.read(name, 65536).decode("ascii", "replace").split("\n")
    if lines[:3] != [CONSISTENCY, "old %d" % old, "new %d" % checkpoint.size] or lines[-1]:
        raise DoesNotHold("%s is not a proof from there to this checkpoint." % name)
    if not all(re.match(r"[0-9a-f]{64}\Z", line) for line in lines[3:-1]):
        raise DoesNotHold("%s holds something that is no hash." % name)
    return [bytes.fromhex(line) for line in lines[3:-1]]


def _said(text: str, longest: int = 300) -> str:
    """A text from outside as one line that a terminal only prints."""
    shown = "".join(
        c if " " <= c <= "~" else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
    return shown if len(shown) <= longest else shown[:longest] + "..."


def _quoted(text: Optional[str]) -> str:
    return "no challenge" if text is None else '"%s"' % _said(text)


def main(arguments: Optional[List[str]] = None) -> int:
    """Check what the command line names and print what was found; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="verify.py", description="Check an export of a Countersign audit log."
    )
    add_options(parser)
    given = parser.parse_args(arguments)
    return check_file(given.export, given.key, given.state, given.challenge, given.witness)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("export", help="the ZIP file")
    parser.add_argument("--key", action="append", default=[], help="the log's key as you know it")
    parser.add_argument("--state", help="your own file that remembers what was checked")
    parser.add_argument("--challenge", help="the text that you asked for the export with")
    parser.add_argument(
        "--witness", action="append", default=[], help="the key of a witness that you trust"
    )


def check_file(
    path: str,
    keys: List[str],
    state_path: Optional[str],
    challenge: Optional[str],
    witnesses: Optional[List[str]] = None,
) -> int:
    """Check the export at the path and print what was found; returns the exit code."""
    try:
        known = [key_of(text) for text in keys]
        trusted = [key_of(text, WITNESS) for text in witnesses or []]
        state = read_state(state_path) if state_path else None
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(path, "rb"))
            check = Check(file, stack, known, state, challenge, trusted)
            check.run()
        if state_path:
            write_state(state_path, check.checkpoint, check.signers, check.manifest["asked_at"])
    except DoesNotHold as found:
        print("THIS EXPORT DOES NOT HOLD.\n\n%s" % _said(str(found), 2000))
        return 1
    except CannotCheck as found:
        print("THIS EXPORT COULD NOT BE CHECKED.\n\n%s" % _said(str(found), 2000))
        return 2
    except OSError as error:
        print("THIS EXPORT COULD NOT BE CHECKED.\n\n%s" % _said(str(error)))
        return 2
    print("THIS EXPORT HOLDS.\n\nProved:")
    for sentence in check.verdict.proved:
        print(" * " + sentence)
    print("\nNot proved:")
    for sentence in check.verdict.open:
        print(" * " + sentence)
    if state_path:
        print("\nYour state file remembers this check: %s" % _said(state_path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
