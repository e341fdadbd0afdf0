"""Ed25519 in plain Python: the vectors of RFC 8032, and the same verdicts as `cryptography`."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.verifier.verify import _point, ed25519_verifies

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
        "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_vectors_of_rfc_8032_verify(public: str, message: str, signature: str) -> None:
    assert ed25519_verifies(*map(bytes.fromhex, (public, message, signature)))


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_a_signature_with_a_larger_scalar_is_refused(
    public: str, message: str, signature: str
) -> None:
    raw = bytes.fromhex(signature)
    larger = int.from_bytes(raw[32:], "little") + GROUP_ORDER
    forged = raw[:32] + larger.to_bytes(32, "little")
    assert not ed25519_verifies(bytes.fromhex(public), bytes.fromhex(message), forged)


def test_keys_and_signatures_of_another_length_are_refused() -> None:
    public, message, signature = map(bytes.fromhex, VECTORS[0])
    assert not ed25519_verifies(public[:-1], message, signature)
    assert not ed25519_verifies(public, message, signature + b"\0")


def test_a_key_that_is_no_point_is_refused() -> None:
    _, message, signature = map(bytes.fromhex, VECTORS[0])
    assert not ed25519_verifies(b"\x02" + bytes(31), message, signature)
    assert not ed25519_verifies(b"\xff" * 32, message, signature)


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x02" + bytes(31),
        # No y of the curve; y not smaller than the prime; and x of zero with a sign (RFC 8032, 5.1.3).
        b"\xff" * 32,
        (2**255 - 19 + 1).to_bytes(32, "little"),
        (1 | 1 << 255).to_bytes(32, "little"),
    ],
)
def test_what_encodes_no_point_is_none(encoded: bytes) -> None:
    assert _point(encoded) is None


@settings(max_examples=30, deadline=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=200),
    st.none() | st.tuples(st.integers(0, 95), st.integers(1, 255)),
)
def test_it_says_what_cryptography_says(
    seed: bytes, message: bytes, change: tuple[int, int] | None
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    both = bytearray(key.public_key().public_bytes_raw() + key.sign(message))
    if change is not None:
        both[change[0]] ^= change[1]
    public, signature = bytes(both[:32]), bytes(both[32:])
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        expected = True
    except (InvalidSignature, ValueError):
        expected = False
    assert ed25519_verifies(public, message, signature) is expected
