"""What verify.py reads: canonical JSON by an oracle, disclosures and notes by what others published."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given

from audit.disclosures import salted
from audit.verifier import verify
from tests.audit.merkle_vectors import (
    GO_KEY,
    GO_NOTE,
    GO_TEXT,
    SPEC_CHECKPOINT,
    SPEC_KEY,
    SPEC_NOTE,
)
from tests.audit.sd_jwt_vectors import DISCLOSURES
from tests.audit.test_canonical import OBJECTS, VALUES


@given(OBJECTS)
@example({"a": '\x00\x07\b\t\n\x0b\f\r\x1f\x7f\x80"\\/ \u2028\u2029\ufeff\U0001f600 é'})
def test_what_has_the_bytes_of_rfc_8785_is_read_and_nothing_else(value: dict[str, Any]) -> None:
    canonical = rfc8785.dumps(value)
    assert verify.strict_json(canonical, "It") == value
    for otherwise in (json.dumps(value).encode(), canonical + b" ", b" " + canonical):
        if otherwise != canonical:
            with pytest.raises(verify.DoesNotHold, match=r"canonical form|Extra data|Expecting"):
                verify.strict_json(otherwise, "It")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a":1.0}', "it holds 1.0"),
        ('{"a":1e3}', "it holds 1e3"),
        ('{"a":NaN}', "it holds NaN"),
        ('{"a":-Infinity}', "it holds -Infinity"),
        ('{"a":9007199254740992}', "not smaller than 2^53"),
        ('{"a":%s}' % ("9" * 5000), "not smaller than 2^53"),
        ('{"a":1,"a":1}', "a key stands twice"),
        ('{"b":1,"a":1}', "not in canonical form"),
        ('{"a": 1}', "not in canonical form"),
        ('{"a":"\\u00e9"}', "not in canonical form"),
        ('{"a":-0}', "not in canonical form"),
        ('["a"]', "it is no object"),
        ('{"b":1}', "a is missing"),
        ('{"a":"\\ud800"}', "surrogates not allowed"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(verify.DoesNotHold, match=why.replace("^", r"\^")):
        verify.strict_json(text.encode(), "It", ("a",))


def test_the_published_disclosures_have_their_digests_and_are_read() -> None:
    for each in DISCLOSURES:
        assert verify.disclosure_digest(each.encoded) == each.digest
        assert verify.read_disclosure(each.encoded) == (each.name, each.value)


@given(VALUES)
def test_what_the_log_keeps_apart_is_read_again(value: Any) -> None:
    made = salted("reason", value)
    assert verify.disclosure_digest(made.encoded.decode()) == made.digest
    assert verify.read_disclosure(made.encoded.decode()) == ("reason", value)


@pytest.mark.parametrize(
    "content",
    ['["salt","name"]', '["salt",1,2]', '{"a":1}', '["s","n",NaN]', '["s","n",{"a":1,"a":1}]'],
)
def test_what_is_no_disclosure_is_refused(content: str) -> None:
    encoded = verify.base64.urlsafe_b64encode(content.encode()).rstrip(b"=").decode()
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        verify.read_disclosure(encoded)


def test_the_published_notes_are_signed_by_their_keys() -> None:
    for note, key, text in (
        (SPEC_NOTE, SPEC_KEY, "This is an example message.\n"),
        (GO_NOTE, GO_KEY, GO_TEXT),
    ):
        known = verify.key_of(key)
        assert verify.signed_by(note.encode(), [known], "It") == (text, [known])
        with pytest.raises(verify.DoesNotHold, match="was not signed by"):
            verify.signed_by(note.replace("e", "a", 1).encode(), [known], "It")


def test_the_published_checkpoint_is_read() -> None:
    text, _ = verify.opened_note(SPEC_CHECKPOINT.encode(), "It")
    found = verify.checkpoint_of(text)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert found.root.hex().startswith("0ac5186a9186")


SOME_CHECKPOINT = SPEC_CHECKPOINT.partition("\n\n")[0] + "\n"
NOTE_OF_NOTHING = "log.example\n1\n" + "A" * 43 + "=\n\n— log.example AAAAAA==\n"


@pytest.mark.parametrize(
    ("note", "why"),
    [
        (NOTE_OF_NOTHING.replace("1\n", "1\x07\n"), "is not a signed note"),
        (NOTE_OF_NOTHING.removesuffix("\n"), "is not a signed note"),
        (NOTE_OF_NOTHING.replace("\n\n", "\n"), "is not a signed note"),
        (NOTE_OF_NOTHING.replace("—", "-"), "a line that is no signature"),
        (NOTE_OF_NOTHING.replace("— log.example ", "—  "), "a line that is no signature"),
        (NOTE_OF_NOTHING.replace("AAAAAA==", "AAAA"), "a signature that is too short"),
        (NOTE_OF_NOTHING.replace("AAAAAA==", "AAAAAB=="), "not base64 as it is written"),
    ],
)
def test_what_is_no_signed_note_is_refused_with_its_reason(note: str, why: str) -> None:
    assert verify.opened_note(NOTE_OF_NOTHING.replace("AAAAAA==", "AAAAAAA=").encode(), "It")
    with pytest.raises(verify.DoesNotHold, match=why):
        verify.opened_note(note.encode(), "It")


@pytest.mark.parametrize(
    "text",
    [
        SOME_CHECKPOINT + "a line that says more\n",
        SOME_CHECKPOINT.replace("\n", "\n0", 1),
        SOME_CHECKPOINT.replace("\n", "\n-", 1),
        "\n" + SOME_CHECKPOINT.partition("\n")[2],
        "log.example\n1\n" + "A" * 40 + "\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    assert verify.checkpoint_of(SOME_CHECKPOINT)
    with pytest.raises(verify.DoesNotHold, match=r"not written as|not a SHA-256"):
        verify.checkpoint_of(text)
