"""Asking a witness for its cosignature: `add-checkpoint` of C2SP tlog-witness."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from audit.merkle.cosignatures import Cosignature, cosignature, with_cosignatures
from audit.merkle.notes import NoteNotValid, base64_text
from audit.streaming import http
from audit.streaming.failing import NotDelivered
from audit.streaming.witnesses import Witness

LONGEST_ANSWER: Final = 65_536
SIZE_TYPE: Final = "text/x.tlog.size"
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_SAID: Final = {
    403: "It knows none of the keys that sign for the log: give it the keys of audit_keys list.",
    404: "It does not know this log: register its name and keys with it.",
    422: "It holds that the log does not continue what it has seen: compare the log with its last checkpoint.",
}


class OtherSize(Exception):
    """The witness has cosigned another size last than the one that was named."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The witness has cosigned {size} last.")
        self.size = size


def add_checkpoint(
    witness: Witness, note: str, *, old: int, proof: Sequence[bytes], seconds: float
) -> Cosignature:
    """Its cosignature over the checkpoint `note`, which continues its own of size `old` by the consistency proof.

    Raises `OtherSize`, and `NotDelivered` where it does not cosign.
    """
    lines = [f"old {old}\n", *(f"{base64_text(each)}\n" for each in proof), "\n", note]
    answer = http.post(
        f"{witness.url}/add-checkpoint",
        "".join(lines).encode(),
        {"content-type": "text/plain; charset=utf-8"},
        seconds=seconds,
        ca_file=witness.ca_file,
        longest=LONGEST_ANSWER,
    )
    if answer.status == 409:
        raise _conflict(answer, old)
    if answer.status in _SAID:
        raise NotDelivered(f"status_{answer.status}", _SAID[answer.status])
    if answer.status != 200:
        raise answer.refusal()
    try:
        # As the specification has it: the answer behind the checkpoint is a note again.
        found = cosignature(with_cosignatures(note, [answer.content.decode()]), witness.verifier)
    except (NoteNotValid, UnicodeDecodeError) as error:
        raise NotDelivered(
            "not_signed", "What it answered is no valid cosignature of this checkpoint."
        ) from error
    if found is None:
        raise NotDelivered("not_signed", "It answered without a cosignature by its key.")
    return found


def _conflict(answer: http.Answer, old: int) -> Exception:
    found = _SIZE.fullmatch(answer.content)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip()
    if found is None or kind != SIZE_TYPE or int(found[1]) == old:
        return NotDelivered(
            "conflict", "It has seen another checkpoint of this size: the log was signed twice."
        )
    return OtherSize(int(found[1]))
