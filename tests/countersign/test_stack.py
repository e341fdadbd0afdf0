"""The harness that runs the real product, seen to work and to notice trouble."""

import os
import signal
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import User
from tests.harness.browser import Troubles
from tests.harness.stack import Stack


def test_a_killed_part_is_missed_and_comes_back(stack: Callable[..., Stack]) -> None:
    running = stack().run()
    running.kill("scheduler")
    assert not running.is_running("scheduler")
    running.wait_for(lambda: running.missing() == ["scheduler"])
    running.start("scheduler")
    running.wait_until_ready()


def test_redis_may_be_killed_and_started_again(stack: Callable[..., Stack]) -> None:
    running = stack().run()
    assert running.redis.process is not None
    running.redis.process.kill()
    running.wait_for(lambda: "redis" in running.missing())
    running.redis.start()
    running.wait_until_ready()


@pytest.mark.timeout(300)
def test_a_stack_of_its_own_postgresql_survives_its_restart(stack: Callable[..., Stack]) -> None:
    running = stack(own_postgres=True)
    server = running.own_postgres
    assert server is not None
    running.run()
    User.objects.create(username="somebody-new")
    assert server.process is not None
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait()
    with pytest.raises(OperationalError):
        connection.cursor().execute("SELECT 1")
    connection.close()
    server.start()
    running.wait_until_ready()
    assert User.objects.filter(username="somebody-new").exists()


def test_the_test_database_is_itself_again_after_a_stack_with_its_own(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone()[0].startswith("test_")


def test_a_signed_in_page_opens_without_trouble(
    site: Stack, page_for: Callable[..., Page], reviewer: User
) -> None:
    page = page_for(reviewer)
    page.goto("/")
    expect(page.get_by_role("main")).to_be_visible()
    assert "/accounts/" not in page.url
    # What the browser needs in this thread, the product's processes are not allowed.
    assert "DJANGO_ALLOW_ASYNC_UNSAFE" in os.environ
    assert "DJANGO_ALLOW_ASYNC_UNSAFE" not in site.environment()


def test_trouble_in_a_page_is_noticed(
    site: Stack, context_for: Callable[..., BrowserContext], troubles: Troubles
) -> None:
    page = context_for(None, site.url).new_page()
    page.goto("/accounts/login/")
    page.evaluate(
        "document.body.append(document.createElement('script'));"
        "document.body.lastChild.textContent = '1'"
    )
    page.evaluate("fetch('/nowhere')")
    page.wait_for_load_state("networkidle")
    assert any("Content Security Policy" in trouble for trouble in troubles.found)
    assert any("404" in trouble for trouble in troubles.found)
    troubles.expect("Content Security Policy|404")
