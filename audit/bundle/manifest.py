"""MANIFEST.json, README.txt, and putting an export's files together in their one order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from audit.bundle.evidence import Evidence, Shape
from audit.bundle.parts import Part, StoredZip
from audit.canonical import canonical_bytes
from audit.verifier import verify

VERIFIER: Final = Path(verify.__file__)
_ROUTE = """\
This is an export of the audit log {origin}, asked for at {asked_at}.

Check it with one file that needs Python 3.8 or newer and nothing else:

    python3 verify.py {name}

Take verify.py from the project and not from this ZIP, which would vouch for itself, or compare its SHA-256
with one that you know. Check the ZIP as it is; nothing has to be unpacked.

  --key        the log's public key, which you were given on another way
  --state      a file of your own, in which each check notes what it saw: the next one proves that nothing
               before was changed
  --challenge  the text that you asked for the export with
  --witness    the key of a witness that you trust to have seen the log grow

MANIFEST.json      what is here, which events were chosen, how complete they are; SHA-256 of every file
MANIFEST.note      the manifest's signature
checkpoint         size and root of the log, signed (C2SP tlog-checkpoint)
cosigned           the newest checkpoint that witnesses had cosigned (C2SP tlog-cosignature), where there is one
events.jsonl       the evidence: one event a line, byte for byte as it was stored (canonical JSON, RFC 8785)
proofs             the hashes that lead from these events to the checkpoint's root (RFC 6962)
consistency/       proofs that the log only grew since earlier exports (RFC 9162)
content/           documents that digests in events stand for, each under its SHA-256
disclosures.jsonl  personal data and free text, bound into events by salted digests (RFC 9901)
events.csv         a table made from events.jsonl, for spreadsheets: no evidence by itself. A cell that a
                   spreadsheet would run as a formula, and one that begins with an apostrophe, has an
                   apostrophe in front
events.parquet     the same as a Parquet file, where it was made
verify.py          the program that checks all this
"""


@dataclass(frozen=True)
class Claims:
    """What the manifest says beside what follows from the files."""

    export: str
    origin: str
    asked_at: str
    filters: Mapping[str, str]
    challenge: str | None
    keys: list[str]
    size: int
    root: bytes
    completeness: dict[str, Any]
    consistency: Mapping[int, bytes]
    """The files `consistency/<size>` by their size."""
    not_sealed: int
    without_disclosures: str
    """Why there are none; empty where there are."""
    without_documents: str
    without_parquet: str
    file_name: str
    cosigned: str = ""
    """The newest checkpoint that witnesses had cosigned, with their cosignatures; empty where there is none."""


def completeness(
    shape: Shape, *, places: tuple[int, int] | None, story: str | None, dropped: int = 0
) -> dict[str, Any]:
    """What is claimed: a whole range, one story, or a selection that proves inclusion only.

    `places` says that every event from one place of the log to before another was chosen, of which `dropped`
    are not there any more after their time (what is missing beside them was deleted); `story` that a whole story
    was chosen.
    """
    if places is not None:
        first, end = places
        missing = end - first - shape.events - dropped
        return {
            "kind": "range",
            "first": first,
            "end": end,
            "dropped": dropped,
            "missing": missing,
        }
    if story is not None and shape.story == story:
        return {"kind": "story", "stream": story, "ended": shape.ended}
    return {"kind": "selection"}


def put_together(
    file: BinaryIO,
    folder: Path,
    evidence: Evidence,
    claims: Claims,
    *,
    checkpoint: str,
    sign: Callable[[str], str],
    beat: Callable[[], None],
) -> StoredZip:
    """Write the ZIP from the parts in `folder`; `beat` is called between files. Raises OSError."""
    gathered = evidence.contents.gathered()
    parts = dict(evidence.parts)
    parquet = folder / "events.parquet"
    if parquet.exists():
        parts["events.parquet"] = Part.found(parquet)
    readme = _ROUTE.format(origin=claims.origin, asked_at=claims.asked_at, name=claims.file_name)
    for name, data in {
        "checkpoint": checkpoint.encode(),
        "verify.py": VERIFIER.read_bytes(),
        "README.txt": readme.encode(),
        **{f"consistency/{old}": lines for old, lines in claims.consistency.items()},
        **({verify.COSIGNED: claims.cosigned.encode()} if claims.cosigned else {}),
    }.items():
        parts[name] = Part.of(folder / name.replace("/", "-"), data)
    manifest = canonical_bytes(
        {
            "format": verify.FORMAT,
            "export": claims.export,
            "origin": claims.origin,
            "asked_at": claims.asked_at,
            "filter": dict(claims.filters),
            "challenge": claims.challenge,
            "checkpoint": {"size": claims.size, "root": claims.root.hex()},
            "keys": claims.keys,
            "completeness": claims.completeness,
            "consistency": sorted(claims.consistency),
            "events": evidence.events,
            "not_sealed": claims.not_sealed,
            "redacted": evidence.erased if not claims.without_disclosures else None,
            "disclosures": {"included": False, "why": claims.without_disclosures}
            if claims.without_disclosures
            else {"included": True, "count": evidence.opened},
            "content": {
                "documents": gathered.documents,
                "absent": gathered.absent,
                "sha256": gathered.sha256,
                "why": claims.without_documents or None,
            },
            "parquet": {"included": False, "why": claims.without_parquet}
            if claims.without_parquet
            else {"included": True},
            "files": {
                name: {"bytes": part.size, "sha256": part.sha256}
                for name, part in sorted(parts.items())
            },
        }
    )
    parts["MANIFEST.json"] = Part.of(folder / "MANIFEST.json", manifest)
    note = sign(f"{verify.FORMAT}\n{claims.origin}\nsha256:{parts['MANIFEST.json'].sha256}\n")
    parts["MANIFEST.note"] = Part.of(folder / "MANIFEST.note", note.encode())
    return _zipped(file, parts, evidence, beat)


def _zipped(
    file: BinaryIO, parts: Mapping[str, Part], evidence: Evidence, beat: Callable[[], None]
) -> StoredZip:
    zipped = StoredZip(file)
    content_comes = (11, 0, "")
    in_order = sorted(parts, key=lambda name: verify.place_of(name) or content_comes)
    before = [name for name in in_order if (verify.place_of(name) or content_comes) < content_comes]
    for name in before:
        zipped.add(name, parts[name])
        parts[name].path.unlink()
        beat()
    for name, part in evidence.contents.parts():
        zipped.add(name, part)
        beat()
    for name in in_order[len(before) :]:
        zipped.add(name, parts[name])
        parts[name].path.unlink()
        beat()
    return zipped
