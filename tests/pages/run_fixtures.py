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
def steady(model: ModelServer, settings: Settings) -> None:
    """The model has time to answer, however busy the machine is."""
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_timeout_seconds": 60.0})


@pytest.fixture
def desk(client: Client, login: Login, operator: User) -> Client:
    """A browser in which the operator is signed in."""
    return login(client, operator)
