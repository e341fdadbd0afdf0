"""A real OpenID Connect provider in a process of its own (provider_process.py), which can also be told to lie."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from countersign.testing.cluster import short_folder

CLIENT_ID = "countersign"
CLIENT_SECRET = "a secret that the provider and the product share"
PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class IdentityProvider:
    """The process, as tests see it."""

    url: str

    def knows(self, subject: str, **claims: object) -> None:
        """Somebody can sign in there; the claims stand in the tokens about them."""
        requests.put(f"{self.url}/users/{subject}", json=claims, timeout=5).raise_for_status()

    def lies(self, **knobs: object) -> None:
        """From now on, and until told again; what there is to lie about: provider_process.py."""
        requests.put(f"{self.url}/knobs", json=knobs, timeout=5).raise_for_status()

    def seen(self) -> list[dict[str, str]]:
        """What was asked of the authorization endpoint, by the authorization requests that were answered."""
        found: list[dict[str, str]] = requests.get(f"{self.url}/seen", timeout=5).json()
        return found

    def signs_in(self, address: str, subject: str) -> str:
        """Where somebody who came to this address and signs in is sent back to."""
        answer = requests.post(address, data={"sub": subject}, allow_redirects=False, timeout=5)
        return answer.headers["Location"]

    def settings(self, **further: object) -> dict[str, Any]:
        """Fields of the product's settings with which people sign in here."""
        return {
            "oidc_issuer": self.url,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": CLIENT_SECRET,
            "oidc_name": "Example Login",
            **further,
        }


@pytest.fixture(scope="session")
def identity_provider_process() -> Iterator[IdentityProvider]:
    folder = short_folder()
    with (
        (folder / "provider.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.harness.provider_process", CLIENT_SECRET],
            cwd=PROJECT,
            env={
                "PATH": os.environ["PATH"],
                "AUTHLIB_INSECURE_TRANSPORT": "1",
                "PYTHONWARNINGS": "ignore",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        # It says where it listens once it does, and ends with its standard input.
        port = process.stdout.readline().strip()
        if not port:
            raise AssertionError((folder / "provider.log").read_text())
        yield IdentityProvider(url=f"http://127.0.0.1:{port}")


@pytest.fixture
def identity_provider(identity_provider_process: IdentityProvider) -> IdentityProvider:
    """The provider, honest again."""
    identity_provider_process.lies()
    return identity_provider_process
