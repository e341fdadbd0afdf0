"""How the parts are put together: databases, mail, Redis, logs, deployment checks, commands."""

import json
import logging
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connections

from countersign.addresses import filled_in
from countersign.config import Config, ConfigError
from countersign.databases import NOTICED_SECONDS, databases
from countersign.embedded import Layout, ensure_secrets
from countersign.logs import MASK, mask_secrets
from countersign.mail import mail
from countersign.programs import programs
from countersign.redis import ANSWER_SECONDS, CONNECT_SECONDS, connect, with_timeouts
from tests.harness.cluster import PROJECT, product_environment

GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_SEALER_URL", "REDIS_URL", "SECRET_KEY")
URL = "postgresql://app:p%40ss@db.example:5433/name?sslmode=require"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was told nothing; what this process connected to stays."""
    for name in (*GIVEN, "COUNTERSIGN_COIN_SECRET", "COUNTERSIGN_DATA_DIR", "COUNTERSIGN_DEMO"):
        monkeypatch.delenv(name, raising=False)


def test_an_address_becomes_a_database_with_its_options() -> None:
    default = databases(Config(database_url=URL))["default"]
    assert default["HOST"] == "db.example"
    assert default["PORT"] == "5433"
    assert default["NAME"] == "name"
    assert default["USER"] == "app"
    assert default["PASSWORD"] == "p@ss"
    assert default["OPTIONS"]["sslmode"] == "require"
    assert default["OPTIONS"]["server_side_binding"] is True


def test_both_ends_of_a_connection_notice_that_the_other_is_gone(db: None) -> None:
    for made in databases(
        Config(database_url=f"{URL}&keepalives_idle=60&options=-c%20a.b%3Dc")
    ).values():
        options = made["OPTIONS"]
        # What the address says stays.
        assert options["keepalives_idle"] == "60"
        assert options["options"].endswith(" -c a.b=c")
        assert options["keepalives_interval"] * options["keepalives_count"] < NOTICED_SECONDS
        assert options["tcp_user_timeout"] == NOTICED_SECONDS * 1000
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT name, setting::int, unit FROM pg_settings WHERE source = 'client' AND name LIKE 'client_conn%%'"
        )
        assert cursor.fetchall() == [
            ("client_connection_check_interval", NOTICED_SECONDS * 1000, "ms")
        ]


def test_only_web_processes_pool_their_connections() -> None:
    command = databases(Config(database_url=URL, process="command"))["default"]
    web = databases(Config(database_url=URL, process="web", database_pool=7))["default"]
    assert "pool" not in command["OPTIONS"]
    assert web["OPTIONS"]["pool"]["max_size"] == 7
    assert web["CONN_MAX_AGE"] == 0


def test_one_address_serves_all_aliases() -> None:
    made = databases(Config(database_url=URL))
    assert {made[alias]["USER"] for alias in ("default", "owner", "sealer")} == {"app"}


@pytest.mark.parametrize("url", ["postgresql://host", "postgresql://host/name?nonsense=1"])
def test_an_address_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        databases(Config(database_url=url))


def test_what_cannot_be_read_as_an_address_is_not_repeated() -> None:
    with pytest.raises(ConfigError, match="%25") as refused:
        databases(Config(database_url="postgresql://app:hunter%2@host/name"))
    told = refused.value
    assert told.__suppress_context__
    assert "hunter" not in str(told)


def test_settings_are_filled_in_from_the_data_directory_without_starting_anything(
    tmp_path: Path,
) -> None:
    config = filled_in(Config(data_dir=tmp_path / "data"))
    assert not (tmp_path / "data").exists()
    assert config.secret_key
    secrets = ensure_secrets(Layout(tmp_path / "data"))
    config = filled_in(Config(data_dir=tmp_path / "data"))
    assert config.secret_key == secrets.secret_key
    assert config.coin_secret == secrets.coin_secret
    assert secrets.app in config.database_url
    assert config.redis_url.startswith("unix://")
    assert Path(config.signing_key_path).read_bytes().startswith(b"-----BEGIN PRIVATE KEY")


def test_what_the_environment_gives_is_kept(tmp_path: Path) -> None:
    given = Config(
        data_dir=tmp_path,
        database_url=URL,
        redis_url="redis://r/0",
        secret_key="k",
        coin_secret="c",
    )
    config = filled_in(given)
    assert (config.database_url, config.redis_url) == (URL, "redis://r/0")
    assert (config.secret_key, config.coin_secret) == ("k", "c")
    assert config.database_owner_url == ""


def test_every_redis_client_has_time_outs() -> None:
    assert with_timeouts("unix:///run/redis.sock") == (
        f"unix:///run/redis.sock?socket_connect_timeout={CONNECT_SECONDS}"
        f"&socket_timeout={ANSWER_SECONDS}"
    )
    kwargs = connect("redis://host:6379/3?socket_timeout=9").connection_pool.connection_kwargs
    assert kwargs["socket_timeout"] == 9
    assert kwargs["socket_connect_timeout"] == CONNECT_SECONDS
    assert kwargs["db"] == 3


def test_mail_goes_to_files_unless_a_server_is_named(tmp_path: Path) -> None:
    assert mail(Config(data_dir=tmp_path)).folder == tmp_path / "mail"
    server = mail(Config(email_url="smtp://u:p%2F@mail.example:587?tls=1"))
    assert (server.host, server.port, server.user) == ("mail.example", 587, "u")
    assert (server.password, server.tls, server.ssl) == ("p/", True, False)
    assert mail(Config(email_url="smtps://mail.example")).port == 465
    with pytest.raises(ConfigError, match="COUNTERSIGN_EMAIL_URL"):
        mail(Config(email_url="http://mail.example"))


def test_log_lines_are_json_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    event = mask_secrets(
        None,
        "info",
        {
            "event": "signed_in",
            "password": "p",
            "headers": {"Authorization": "Bearer x", "Accept": "y"},
        },
    )
    assert event["password"] == MASK
    assert event["headers"] == {"Authorization": MASK, "Accept": "y"}
    assert event["event"] == "signed_in"
    [handler] = [each for each in logging.getLogger().handlers if each.formatter is not None][:1]
    record = logging.LogRecord("some.logger", logging.INFO, "", 0, "%s runs", ("web",), None)
    record.api_key = "k"
    line = json.loads(handler.format(record))
    assert line["event"] == "web runs"
    assert line["api_key"] == MASK
    assert line["level"] == "info"


def test_a_deployment_is_told_what_it_must_say_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "COUNTERSIGN_BASE_URL", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    found = {check.id for check in run_checks(include_deployment_checks=True)}
    assert {f"countersign.W00{number}" for number in (1, 2, 3, 4)} <= found


def test_outside_the_demo_the_deployment_check_is_clean(tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=PROJECT,
        env=product_environment(
            COUNTERSIGN_DATA_DIR=str(tmp_path / "data"),
            COUNTERSIGN_BASE_URL="https://countersign.example",
            SECRET_KEY="x0-y1-z2" * 8,
            DATABASE_URL="postgresql://app@db.example/countersign",
            REDIS_URL="redis://redis.example/0",
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert not (tmp_path / "data").exists()


def test_an_old_postgresql_is_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(connections["owner"]), "get_database_version", lambda _self: (14, 9))
    with pytest.raises(CommandError, match="PostgreSQL 14; Countersign needs 15"):
        call_command("migrate")


def test_migrations_run_as_the_owner() -> None:
    command = import_module("countersign.management.commands.migrate").Command()
    assert command.create_parser("manage.py", "migrate").get_default("database") == "owner"


def test_pools_of_no_workers_are_left_out() -> None:
    names = [program.name for program in programs(Config(run_workers=0, background_workers=2))]
    assert names == ["web", "resumes", "background", "scheduler"]


def test_the_payment_provider_belongs_to_the_demo() -> None:
    url = "http://127.0.0.1:9"
    assert programs(Config(demo=True, demo_provider_url=url))[0].name == "payment provider"
    assert programs(Config(demo=False, demo_provider_url=url))[0].name == "web"


def test_without_django_the_command_line_says_what_to_do(tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-I", "-S", "manage.py", "demo"],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert "Run `make demo` once" in outcome.stderr
