"""A whole audit log in memory, by definitions written straight from RFC 6962, and exports of it."""

from __future__ import annotations

import base64
import hashlib
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.bundle.evidence import Evidence, cleared, named_in
from audit.bundle.manifest import Claims, completeness, put_together
from audit.bundle.parts import Part, StoredZip
from audit.bundle.proof_lines import consistency_file
from audit.canonical import canonical_bytes, event_bytes
from audit.disclosures import salted
from audit.verifier import verify

ORIGIN = "log.example/countersign"


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, over leaf hashes."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:]))


def consistency(old: int, leaves: list[bytes]) -> list[bytes]:
    """PROOF of RFC 6962, section 2.1.2."""
    return [] if old in (0, len(leaves)) else _subproof(old, leaves, whole=True)


def _subproof(old: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= k:
        return [*_subproof(old, leaves[:k], whole=whole), tree_hash(leaves[k:])]
    return [*_subproof(old - k, leaves[k:], whole=False), tree_hash(leaves[:k])]


class Signer:
    """A key that signs notes as C2SP writes them."""

    def __init__(self, name: str = ORIGIN, seed: bytes = b"1" * 32) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = b"\x01" + self._key.public_key().public_bytes_raw()
        self.id = sha256(name.encode() + b"\n" + public)[:4]
        self.verifier = f"{name}+{self.id.hex()}+{base64.b64encode(public).decode()}"

    def line(self, text: str) -> str:
        signature = base64.b64encode(self.id + self._key.sign(text.encode())).decode()
        return f"— {self.name} {signature}\n"


@dataclass
class Event:
    body: bytes
    disclosures: list[bytes] = field(default_factory=list)

    @property
    def leaf(self) -> bytes:
        return sha256(b"\x00" + self.body)


class Log:
    """Events in the order of the log; what `Nodes` asks for; checkpoints and exports."""

    def __init__(self, signers: Iterable[Signer] | None = None) -> None:
        self.events: list[Event] = []
        self.signers = list(signers or [Signer()])
        self._heads: dict[str, tuple[int, bytes | None]] = {}
        self.documents: dict[str, bytes] = {}

    def record(self, stream: str = "log", type_: str = "signout", **more: Any) -> Event:
        """Append an event to its stream; `disclose={name: value}` binds disclosures into it."""
        seq, head = self._heads.get(stream, (0, None))
        kept = [
            salted(name, value, salt=bytes(16)) for name, value in more.pop("disclose", {}).items()
        ]
        body = {
            "v": 1,
            "id": str(uuid.UUID(int=len(self.events) + 1)),
            "type": type_,
            "stream": stream,
            "seq": seq + 1,
            "prev": f"sha256:{head.hex()}" if head else None,
            "time": "2026-11-21T12:00:00.000000Z",
            "actor": {"kind": "person", "id": "7", "auth": "session"},
            **more,
        }
        if kept:
            body["_sd"] = sorted(each.digest for each in kept)
        event = Event(
            event_bytes(body), [each.encoded for each in sorted(kept, key=lambda each: each.digest)]
        )
        self.events.append(event)
        self._heads[stream] = (seq + 1, event.leaf)
        return event

    def document(self, data: bytes) -> str:
        """Keep a document that events may speak of; returns its digest."""
        digest = "sha256:" + sha256(data).hex()
        self.documents[digest] = data
        return digest

    def leaves(self, size: int | None = None) -> list[bytes]:
        return [event.leaf for event in self.events[:size]]

    def node(self, level: int, index: int) -> bytes:
        found = self.leaves()[index << level : index + 1 << level]
        assert len(found) == 1 << level, "only complete subtrees are stored"
        return tree_hash(found)

    def root(self, size: int | None = None) -> bytes:
        return tree_hash(self.leaves(size))

    def note(self, text: str) -> str:
        return text + "\n" + "".join(signer.line(text) for signer in self.signers)

    def checkpoint(self, size: int | None = None) -> str:
        size = len(self.events) if size is None else size
        root = base64.b64encode(self.root(size)).decode()
        return self.note(f"{ORIGIN}\n{size}\n{root}\n")

    def export(
        self,
        path: Path,
        *,
        chosen: Callable[[int, dict[str, Any]], bool] = lambda index, event: True,
        by_place: bool = True,
        story: str | None = None,
        since: Iterable[int] = (),
        challenge: str | None = None,
        with_disclosures: bool = True,
        asked_at: str = "2026-11-21T13:00:00.000000Z",
        filters: Mapping[str, str] | None = None,
        size: int | None = None,
        forge: Mapping[str, Callable[[bytes], bytes]] | None = None,
        patch: Mapping[str, Any] | None = None,
        **claimed: Any,
    ) -> Path:
        """Write the export of what is chosen.

        `claimed` are other claims than the true ones, `forge` changes files before the manifest is made for
        them, `patch` changes the manifest before it is signed.
        """
        size = len(self.events) if size is None else size
        folder = cleared(path.with_suffix(".parts"))
        log = self if size == len(self.events) else self.cut(size)
        with Evidence(folder, log, size, disclosures=with_disclosures) as evidence:
            for index, event in enumerate(self.events[:size]):
                if chosen(index, orjson.loads(event.body)):
                    opened = event.disclosures if with_disclosures else []
                    read = evidence.event(index, event.body, opened)
                    evidence.documents(dict(named_in(read, opened)), self.documents)
            shape = evidence.shape()
        claims = Claims(
            export="01990000-0000-7000-8000-000000000000",
            origin=ORIGIN,
            asked_at=asked_at,
            filters=filters or {},
            challenge=challenge,
            keys=[signer.verifier for signer in self.signers],
            size=size,
            root=self.root(size),
            completeness=completeness(
                shape,
                places=((shape.first, shape.end) if shape.events else (size, size))
                if by_place
                else None,
                story=story,
            ),
            consistency={
                old: consistency_file(old, size, consistency(old, self.leaves(size)))
                for old in since
            },
            not_sealed=0,
            without_disclosures="" if with_disclosures else "they were not asked for",
            without_documents="",
            without_parquet="it was not made",
            file_name=path.name,
        )
        for name, change in (forge or {}).items():
            part = evidence.parts[name].path
            data = change(part.read_bytes())
            part.unlink()
            evidence.parts[name] = Part.of(part, data)
        with path.open("wb") as file:
            put_together(
                file,
                folder,
                evidence,
                replace(claims, **claimed),
                checkpoint=self.checkpoint(size),
                sign=self.note,
                beat=lambda: None,
            ).finish()
        if patch:
            self._sign_again(path, patch)
        return path

    def _sign_again(self, path: Path, patch: Mapping[str, Any]) -> None:
        def change(manifest: dict[str, Any]) -> None:
            for key, value in patch.items():
                manifest[key] = manifest[key] | value if isinstance(value, dict) else value

        repack(path, self, change)

    def cut(self, size: int) -> Log:
        """The same log when it had `size` events."""
        log = Log(self.signers)
        log.events = self.events[:size]
        log._heads = {}
        for event in log.events:
            body = orjson.loads(event.body)
            log._heads[body["stream"]] = (body["seq"], event.leaf)
        log.documents = self.documents
        return log


def repack(
    path: Path,
    log: Log,
    change: Callable[[dict[str, Any]], None] = lambda manifest: None,
    *,
    files: Callable[[dict[str, bytes]], dict[str, bytes]] = dict,
    raw: bytes | None = None,
    sign: bool = True,
) -> Path:
    """Write the ZIP anew with other files and another manifest (or `raw` in its place), signed by the log
    unless the old signature is to stay."""
    with zipfile.ZipFile(path) as opened:
        found = files({name: opened.read(name) for name in opened.namelist()})
    manifest = orjson.loads(found["MANIFEST.json"])
    change(manifest)
    found["MANIFEST.json"] = canonical_bytes(manifest) if raw is None else raw
    digest = sha256(found["MANIFEST.json"]).hex()
    if sign:
        found["MANIFEST.note"] = log.note(f"{verify.FORMAT}\n{ORIGIN}\nsha256:{digest}\n").encode()
    with path.open("wb") as file, tempfile.TemporaryDirectory() as folder:
        zipped = StoredZip(file)
        for number, (name, data) in enumerate(found.items()):
            zipped.add(name, Part.of(Path(folder) / str(number), data))
        zipped.finish()
    return path


def checked(path: Path, *options: str) -> int:
    """The verifier's exit code for an export."""
    return verify.main([str(path), *options])
