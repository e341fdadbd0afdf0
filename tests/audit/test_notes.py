"""Signed notes and checkpoints: the examples of the specification, and what is refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle.notes import (
    NoteNotValid,
    VerifierKey,
    checkpoint_text,
    opened,
    read_checkpoint,
    read_note,
    signed,
    verified,
)
from tests.audit.merkle_vectors import (
    GO_KEY,
    GO_NOTE,
    GO_PRIVATE,
    GO_TEXT,
    SPEC_CHECKPOINT,
    SPEC_KEY,
    SPEC_NOTE,
)

ORIGIN = "approvals.example/log"
ROOT = bytes(range(32))


class Key:
    """A key in memory."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = VerifierKey(name, self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


OLD, NEW = Key(ORIGIN, bytes(32)), Key(ORIGIN, bytes([1]) * 32)


def test_the_example_of_the_specification_verifies() -> None:
    key = VerifierKey.read(SPEC_KEY)
    assert str(key) == SPEC_KEY
    assert verified(SPEC_NOTE, [key]) == ("This is an example message.\n", [key])


def test_signing_writes_the_note_of_gos_documentation() -> None:
    signer = Key("PeterNeumann", base64.b64decode(GO_PRIVATE)[1:])
    assert str(signer.key) == GO_KEY
    assert signed(GO_TEXT, [signer]) == GO_NOTE


def test_the_checkpoint_of_the_specification_is_read_and_written() -> None:
    text, (signature,) = read_note(SPEC_CHECKPOINT)
    found = read_checkpoint(text)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint_text(*found) == text
    assert (signature.name, signature.key_id.hex()) == ("example.com/behind-the-sofa", "033de0ae")


def test_during_an_overlap_either_key_opens_the_checkpoint() -> None:
    note = signed(checkpoint_text(ORIGIN, 7, ROOT), [OLD, NEW])
    for known in ([OLD.key], [NEW.key], [OLD.key, NEW.key]):
        assert opened(note, known) == (ORIGIN, 7, ROOT)
    assert verified(note, [OLD.key, NEW.key])[1] == [OLD.key, NEW.key]


def test_a_note_of_unknown_keys_is_refused() -> None:
    note = signed(checkpoint_text(ORIGIN, 7, ROOT), [OLD])
    with pytest.raises(NoteNotValid, match="not signed by a key that is known"):
        opened(note, [NEW.key])
    # The same key under another name is another key.
    with pytest.raises(NoteNotValid, match="not signed by a key that is known"):
        opened(note, [VerifierKey("other.example/log", OLD.key.public)])


def test_one_wrong_signature_of_a_known_key_refuses_the_note() -> None:
    note = signed(checkpoint_text(ORIGIN, 7, ROOT), [OLD, NEW]).replace("\n7\n", "\n8\n")
    with pytest.raises(NoteNotValid, match="does not verify"):
        opened(note, [OLD.key, NEW.key])
    forged = signed(checkpoint_text(ORIGIN, 7, ROOT), [OLD]) + (
        f"— {ORIGIN} {base64.b64encode(NEW.key.id + bytes(64)).decode()}\n"
    )
    assert opened(forged, [OLD.key]).size == 7
    with pytest.raises(NoteNotValid, match="does not verify"):
        opened(forged, [OLD.key, NEW.key])


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32), st.integers(0, 300))
def test_no_changed_byte_goes_unseen(size: int, root: bytes, at: int) -> None:
    note = signed(checkpoint_text(ORIGIN, size, root), [OLD])
    assert opened(note, [OLD.key]) == (ORIGIN, size, root)
    place = at % len(note)
    changed = note[:place] + ("A" if note[place] != "A" else "B") + note[place + 1 :]
    with pytest.raises(NoteNotValid):
        opened(changed, [OLD.key])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        f"text\n\n— {ORIGIN} ",
        f"text\n\n- {ORIGIN} AAAAAAAA\n",
        f"text\n\n— {ORIGIN} AAAA\n",
        f"text\n\n— {ORIGIN} AAAAA\n",
        f"text\n\n— {ORIGIN} AAAAAAB=\n",
        "text\n\n— two words AAAAAAAA\n",
        f"te\txt\n\n— {ORIGIN} AAAAAAAA\n",
        "text\n\n" + f"— {ORIGIN} AAAAAAAA\n" * 65,
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(NoteNotValid):
        read_note(note)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n7\n",
        f"log\n07\n{base64.b64encode(ROOT).decode()}\n",
        f"log\n-7\n{base64.b64encode(ROOT).decode()}\n",
        f"log\n٧\n{base64.b64encode(ROOT).decode()}\n",
        "log\n7\nAAAA\n",
        f"\n7\n{base64.b64encode(ROOT).decode()}\n",
        f"log\n7\n{base64.b64encode(ROOT).decode()}\n\nmore\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteNotValid):
        read_checkpoint(text)


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "name+abc",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("+ARpc", "+BBpc"),
        GO_KEY[:-4],
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteNotValid):
        VerifierKey.read(text)


def test_a_note_needs_a_signature_and_a_whole_text() -> None:
    with pytest.raises(NoteNotValid, match="without a signature"):
        signed("text\n", [])
    with pytest.raises(NoteNotValid, match="ends with a newline"):
        signed("text", [OLD])
    for origin in ("", "two words", "one+two", "line\nbreak"):
        with pytest.raises(NoteNotValid):
            checkpoint_text(origin, 1, ROOT)
