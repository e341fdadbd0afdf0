"""The fixtures of every test. Servers start, and Django is set up, while this file is imported."""

import gc
import os
from collections.abc import Callable, Iterator

from tests.harness.environment import TestProcess, set_up

# Until tests are collected nothing is garbage.
gc.disable()
PROCESS: TestProcess = set_up()

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from asgiref.sync import SyncToAsync  # noqa: E402
from django.conf import settings as django_settings  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import override_settings  # noqa: E402
from playwright.sync_api import BrowserContext, Page  # noqa: E402
from pytest_django import DjangoDbBlocker  # noqa: E402
from redis import Redis  # noqa: E402

from accounts.models import User  # noqa: E402
from countersign.metrics import told  # noqa: E402
from demo.seed import seed  # noqa: E402
from tests.harness.browser import browser, chromium, context_for, troubles  # noqa: E402, F401
from tests.harness.identity_provider import (  # noqa: E402, F401
    identity_provider,
    identity_provider_process,
)
from tests.harness.people import (  # noqa: E402, F401
    admin,
    auditor,
    finance,
    login,
    operator,
    outsider,
    reviewer,
    second_admin,
    second_reviewer,
    support,
)
from tests.harness.stack import SHORT, Stack  # noqa: E402

# A loaded machine is no fault of what is tested: examples may take as long as they take.
hypothesis.settings.register_profile(
    "countersign", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("countersign")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):
        # Tests are collected by the workers alone.
        gc.enable()
        # The workers to come set Django up themselves; with this they would do it too early, and
        # with the settings of this process.
        del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 100)


def pytest_runtest_teardown() -> None:
    """What asynchronous code asks for in threads is asked for in one that outlives every test: its connections
    must not, since a test may end those of everybody."""
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


def pytest_unconfigure() -> None:
    PROCESS.close()


@pytest.fixture(autouse=True)
def fresh_figures() -> None:
    """What `/metrics` told in the test before is told no more."""
    told.forget()


@pytest.fixture(scope="session")
def test_process() -> TestProcess:
    """The servers of this test process."""
    return PROCESS


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Give this process its database: a clone of the migrated template."""
    PROCESS.give_database()


@pytest.fixture
def redis_client() -> Iterator[Redis]:
    """A client of this process's Redis, which is emptied after the test."""
    with Redis.from_url(PROCESS.redis_url) as client:
        yield client
        client.flushall()


@pytest.fixture
def superuser_url() -> str:
    """This process's database as the cluster's superuser: for attacks, and for nothing else."""
    return PROCESS.cluster.superuser_url(PROCESS.database)


@pytest.fixture
def stack(transactional_db: None) -> Iterator[Callable[..., Stack]]:
    """`stack(**settings)` prepares the real product for this test; `.run()` starts it.

    The demo's shop is there unless `seeded=False`; `own_postgres=True` gives it a cluster of its
    own. Everything ends with the test.
    """
    prepared: list[Stack] = []

    def prepare(*, seeded: bool = True, own_postgres: bool = False, **settings: object) -> Stack:
        made = Stack(PROCESS, **settings)
        prepared.append(made)
        if own_postgres:
            made.use_own_postgres()
        if seeded:
            # The policy is published here and not by the stack's processes: it takes their undo time.
            undo = float(str(settings.get("undo_seconds", SHORT["COUNTERSIGN_UNDO_SECONDS"])))
            config = django_settings.COUNTERSIGN.model_copy(update={"undo_seconds": undo})
            with override_settings(COUNTERSIGN=config):
                seed()
        return made

    yield prepare
    for made in reversed(prepared):
        made.stop()


@pytest.fixture
def site(stack: Callable[..., Stack]) -> Stack:
    """The whole product, running and ready."""
    return stack().run()


@pytest.fixture
def page_for(site: Stack, context_for: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """`page_for(user, **options)`: a page in a profile of its own, signed in to `site`."""

    def open_page(user: User | None, **options: object) -> Page:
        return context_for(user, site.url, **options).new_page()

    return open_page
