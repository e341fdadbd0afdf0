"""Signatures of callbacks: the published vector, and what must not pass for one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agents.webhooks import is_signed, sign

# The test vector of the Standard Webhooks specification's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "QUJD" * 10
GIVEN: dict[str, Any] = {
    "id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "timestamp": "1614265330",
    "body": b'{"test": 2432232314}',
    "signatures": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
THEN = datetime.fromtimestamp(1614265330, UTC)


def fits(secrets: tuple[str, ...] = (SECRET,), now: datetime = THEN, **changes: Any) -> bool:
    return is_signed(secrets, now=now, **(GIVEN | changes))


def test_the_published_vector_is_signed_and_taken() -> None:
    made = sign(SECRET, id=GIVEN["id"], timestamp=1614265330, body=GIVEN["body"])
    assert made == GIVEN["signatures"]
    assert fits()


def test_a_secret_is_the_same_with_and_without_its_prefix() -> None:
    assert fits((SECRET.removeprefix("whsec_"),))


def test_any_of_several_secrets_and_of_several_signatures_will_do() -> None:
    assert fits((OTHER, SECRET))
    assert fits(signatures=f"v1a,AAAA v1,AAAA {GIVEN['signatures']}")


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_either_way_are_taken(seconds: int) -> None:
    assert fits(now=datetime.fromtimestamp(1614265330 + seconds, UTC))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_what_is_older_or_newer_is_not(seconds: int) -> None:
    assert not fits(now=datetime.fromtimestamp(1614265330 + seconds, UTC))


@pytest.mark.parametrize(
    "changes",
    [
        {"body": b'{"test": 2432232315}'},
        {"body": b'{"test":2432232314}'},
        {"id": "msg_other"},
        {"id": ""},
        {"timestamp": "1614265331"},
        {"timestamp": "1614265330.0"},
        {"timestamp": "\u0661\u0666\u0661\u0664\u0662\u0666\u0665\u0663\u0663\u0660"},
        {"timestamp": ""},
        {"signatures": ""},
        {"signatures": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"signatures": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"signatures": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE"},
    ],
)
def test_what_differs_in_anything_is_not_signed(changes: dict[str, Any]) -> None:
    assert not fits(**changes)


def test_another_secret_and_no_secret_sign_nothing() -> None:
    assert not fits((OTHER,))
    assert not fits(())
