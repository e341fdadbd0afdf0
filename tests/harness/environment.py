"""The environment of one test process: set before Django reads its settings.

Imported by tests/conftest.py before any other conftest, since those import models.
"""

import os
import shutil
from pathlib import Path

import django
from django.conf import settings

from countersign.embedded.redis import RedisServer
from tests.harness.cluster import (
    Cluster,
    product_environment,
    session_cluster,
    short_folder,
    start_redis,
)

PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "main")
DATABASE = f"test_{PROCESS}"


class TestProcess:
    """The servers of this process: a share of the session's PostgreSQL, a Redis of its own."""

    __test__ = False

    def __init__(self) -> None:
        self.cluster: Cluster = session_cluster()
        self.folder: Path = short_folder()
        self.redis: RedisServer = start_redis(self.folder / "redis")
        self.database = DATABASE

    @property
    def redis_url(self) -> str:
        return self.redis.layout.redis_url

    def settings(self) -> dict[str, str]:
        """The product's settings for this process, as environment variables."""
        return {
            **self.cluster.environment(self.database),
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": "a key of the tests that protects nothing at all, and is long enough",
            "COUNTERSIGN_COIN_SECRET": "a coin of the tests",
            "COUNTERSIGN_DATA_DIR": str(self.folder / "data"),
            "COUNTERSIGN_DEMO": "1",
        }

    def close(self) -> None:
        """Stop what this process started."""
        self.redis.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def set_up() -> TestProcess:
    """Start this process's servers, point the settings at them, and set Django up."""
    if settings.configured:
        raise RuntimeError(
            "Django was set up before the tests could be: unset DJANGO_SETTINGS_MODULE"
        )
    process = TestProcess()
    clean = product_environment(**process.settings(), DJANGO_SETTINGS_MODULE="countersign.settings")
    os.environ.clear()
    os.environ.update(clean)
    django.setup()
    return process
