"""The pytest plugin for tests of agents. In the conftest.py of an app:

```python
import os

os.environ.setdefault("COUNTERSIGN_APPS", "shop")
pytest_plugins = ["countersign.testing.plugin"]
```

It starts an embedded PostgreSQL and Redis for the session, sets Django up with the product's settings, and
has the fixture `desk`. Of the environment, `COUNTERSIGN_APPS` and secrets of tools are kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from countersign.testing.process import TestProcess, set_up

KEPT = ("COUNTERSIGN_APPS", "COUNTERSIGN_SECRET_")
PROCESS: TestProcess = set_up(
    # Neither demo nor deployment: pages are served over plain HTTP.
    COUNTERSIGN_DEBUG="1",
    **{name: value for name, value in os.environ.items() if name.startswith(KEPT)},
)

# What follows imports models, which exist only once Django is set up.
import pytest  # noqa: E402
from pytest_django import DjangoDbBlocker, Settings  # noqa: E402

from countersign.testing.desk import Desk  # noqa: E402
from countersign.testing.model import ModelServer  # noqa: E402

#: Nothing waits here that people would wait for; the lease outlives every test.
SHORT = {
    "openai_api_key": "test",
    "openai_model": "scripted",
    "model_backoff_seconds": 0.01,
    "model_timeout_seconds": 60.0,
    "undo_seconds": 0.0,
    "lease_seconds": 28_800.0,
    "lease_renewal_seconds": 14_400.0,
}


def pytest_unconfigure() -> None:
    """Stop what was started."""
    PROCESS.close()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The database of this process: a clone of the migrated template."""
    PROCESS.give_database()


@pytest.fixture
def desk(transactional_db: None, settings: Settings) -> Iterator[Desk]:
    """A desk to run agents at; its model is a server on a free port. What tools write is committed."""
    server = ModelServer()
    changed = {**SHORT, "openai_base_url": server.url}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=changed)
    yield Desk(server)
    server.close()
