"""Runs for the pages' tests: the bank's teller, its scripted model, and a hand on the runner."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from tests.agents.conftest import Counter, host
from tests.model_server import ModelServer, judged

Login = Callable[[Client, User], Client]
PAY = judged({"account": "A1", "amount": "42.00"})
READ = judged({"account": "A1"})

__all__ = ["PAY", "READ", "Counter", "Login", "desk", "host", "steady"]


@pytest.fixture(autouse=True)
def steady(model: ModelServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine changes nothing: leases last, and the model has time to answer.

    The thread that renews leases has a connection of its own, which does not see the runs of a test
    that commits nothing, and would take them for lost.
    """
    monkeypatch.setattr("agents.leases.renew", lambda _lease: True)
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_timeout_seconds": 60.0})


@pytest.fixture
def desk(client: Client, login: Login, operator: User) -> Client:
    """A browser in which the operator is signed in."""
    return login(client, operator)
