"""Secrets of callbacks: read strictly from the environment, and never said again."""

from __future__ import annotations

import json

import pytest

from countersign.config import Config, ConfigError, load

SECRET = "whsec_" + "c2VjcmV0" * 4


def given(monkeypatch: pytest.MonkeyPatch, value: object) -> Config:
    text = value if isinstance(value, str) else json.dumps(value)
    monkeypatch.setenv("COUNTERSIGN_CALLBACK_SECRETS", text)
    return load()


def test_a_provider_has_one_secret_or_several(monkeypatch: pytest.MonkeyPatch) -> None:
    config = given(monkeypatch, {"mail": SECRET, "payouts": [SECRET, SECRET[6:]]})
    assert config.callback_secrets == {"mail": (SECRET,), "payouts": (SECRET, SECRET[6:])}


def test_no_secret_stands_in_what_is_printed_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert SECRET[6:] not in repr(given(monkeypatch, {"mail": SECRET}))


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        [SECRET],
        {"mail": []},
        {"mail": 7},
        {"mail": SECRET[:20]},
        {"mail": SECRET + "c2VjcmV0" * 10},
        {"mail": "!" + SECRET},
        '{"mail": "' + SECRET + '", "mail": "' + SECRET + '"}',
    ],
)
def test_what_does_not_fit_ends_the_start_without_saying_the_secret(
    monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    with pytest.raises(ConfigError, match="COUNTERSIGN_CALLBACK_SECRETS") as refused:
        given(monkeypatch, value)
    assert "c2VjcmV0" not in str(refused.value)
