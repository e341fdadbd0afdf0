"""Codes of authenticator apps against the published vectors, and each good once."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from accounts import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()
NOW = datetime(2026, 3, 2, 10, 0, 5, tzinfo=UTC)
STEP = totp.step_of(NOW)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        # RFC 6238, appendix B, SHA-1; the last six of the eight digits.
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(seconds: int, expected: str) -> None:
    assert totp.code_at(SECRET, seconds // totp.PERIOD_SECONDS) == expected


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_of_now_or_of_a_neighbouring_half_minute_is_taken(steps: int) -> None:
    code = totp.code_at(SECRET, STEP + steps)
    assert totp.matching_step(SECRET, f" {code[:3]} {code[3:]}", NOW, after=-1) == STEP + steps


@pytest.mark.parametrize("steps", [-2, 2])
def test_a_code_from_further_away_is_not(steps: int) -> None:
    assert totp.matching_step(SECRET, totp.code_at(SECRET, STEP + steps), NOW, after=-1) is None


def test_a_code_and_those_before_it_are_good_once() -> None:
    for steps in (-1, 0):
        assert totp.matching_step(SECRET, totp.code_at(SECRET, STEP + steps), NOW, STEP) is None
    later = NOW + timedelta(seconds=totp.PERIOD_SECONDS)
    assert totp.matching_step(SECRET, totp.code_at(SECRET, STEP), later, STEP) is None
    assert totp.matching_step(SECRET, totp.code_at(SECRET, STEP + 1), later, STEP) == STEP + 1


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "\0\0\0\0\0\0"])
def test_what_is_no_code_is_refused(typed: str) -> None:
    assert totp.matching_step(SECRET, typed, NOW, after=-1) is None
