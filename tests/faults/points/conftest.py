"""One plant for every test of this folder: starting the product is what costs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.faults.plant import WORKERS, Plant
from tests.harness.environment import TestProcess


@pytest.fixture(scope="package")
def running(
    test_process: TestProcess, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Plant]:
    with django_db_blocker.unblock():
        plant = Plant(test_process)
        try:
            yield plant.open()
        finally:
            plant.close()


@pytest.fixture
def plant(running: Plant) -> Iterator[Plant]:
    """The running product with nothing armed and every process there."""
    for name in WORKERS:
        if not running.is_running(name):
            running.start(name)
    yield running
    running.disarm()
