"""The servers and the environment of one test process, set before Django reads its settings."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import django
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connections
from django.test import TransactionTestCase
from redis import Redis

from countersign.embedded.redis import RedisServer
from countersign.testing.cluster import (
    Cluster,
    product_environment,
    session_cluster,
    short_folder,
    start_redis,
)

PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "main")
DATABASE = f"test_{PROCESS}"


class TestProcess:
    """The servers of this process: a share of the session's PostgreSQL, a Redis of its own.

    `further` are settings of the product, as environment variables.
    """

    __test__ = False

    def __init__(self, **further: str) -> None:
        self.further = further
        self.cluster: Cluster = session_cluster(**further)
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
            "COUNTERSIGN_MAIL_GATHER_SECONDS": "0",
            "COUNTERSIGN_DATA_DIR": str(self.folder / "data"),
            **self.further,
        }

    def give_database(self) -> None:
        """Give this process its database: a clone of the migrated template.

        Tests that commit get a fresh clone afterwards. Emptying the tables would have to lift the
        audit log's triggers, and would take away what the migrations put there.
        """
        self.cluster.clone(self.database)

        def start_over(_test: TransactionTestCase) -> None:
            connections.close_all()
            self.cluster.clone(self.database)
            with Redis.from_url(self.redis_url) as client:
                client.flushall()

        setattr(TransactionTestCase, "_fixture_teardown", start_over)  # noqa: B010

    def close(self) -> None:
        """Stop what this process started."""
        self.redis.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def set_up(**further: str) -> TestProcess:
    """Start this process's servers, point the settings at them, and set Django up.

    `further` are settings of the product, as environment variables. Raises RuntimeError where Django
    was set up before.
    """
    if settings.configured:
        raise RuntimeError(
            "Django was set up before the tests could be: unset DJANGO_SETTINGS_MODULE"
        )
    process = TestProcess(**further)
    clean = product_environment(**process.settings(), DJANGO_SETTINGS_MODULE="countersign.settings")
    os.environ.clear()
    os.environ.update(clean)
    django.setup()
    hash_cheaply()
    return process


def hash_cheaply() -> None:
    """Let passwords of this process be hashed quickly: it is slow on purpose, and tests make many people.

    To be said in every process of a test: one that hashes otherwise hashes anew at a sign-in, which ends the
    person's other sessions.
    """
    PBKDF2PasswordHasher.iterations = 1_000
