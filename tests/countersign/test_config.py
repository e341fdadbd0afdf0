"""Settings from the environment: typed, and refused aloud."""

import os
from pathlib import Path

import pytest
from django.core.management import call_command

from countersign.addresses import filled_in
from countersign.config import Config, ConfigError, load


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_SEALER_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("COUNTERSIGN_DEMO", "COUNTERSIGN_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_a_misspelt_setting_is_refused_with_the_right_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COUNTERSIGN_UNDO_SECOND", "3")
    with pytest.raises(ConfigError, match="did you mean COUNTERSIGN_UNDO_SECONDS"):
        load()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://host/name", "DATABASE_URL is not a PostgreSQL address"),
        ("REDIS_URL", "amqp://host", "REDIS_URL is not a Redis address"),
        ("PORT", "eighty", "PORT"),
        ("PORT", "70000", "PORT"),
        ("COUNTERSIGN_AUDIT_RATE", "2", "COUNTERSIGN_AUDIT_RATE"),
        ("COUNTERSIGN_LEASE_SECONDS", "5", "COUNTERSIGN_LEASE_RENEWAL_SECONDS must be shorter"),
        ("COUNTERSIGN_DEMO", "perhaps", "COUNTERSIGN_DEMO"),
        ("DATABASE_OWNER_URL", "postgresql://o@h/n", "need DATABASE_URL beside them"),
        ("COUNTERSIGN_FAULT_POINTS", "/tmp/points", "lets processes kill themselves"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=sentence):
        load()


def test_every_complaint_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.setenv("COUNTERSIGN_THRESHOLD", "high")
    with pytest.raises(ConfigError) as refusal:
        load()
    assert len(str(refusal.value).splitlines()) == 2


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "one.example, two.example")
    assert load().allowed_hosts == ("one.example", "two.example")


def test_an_empty_variable_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    monkeypatch.setenv("PORT", "")
    assert load().openai_base_url == ""
    assert load().port == 8000


def test_a_named_model_ends_practice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_DEMO", "1")
    assert load().practice
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    assert not load().practice


def test_without_the_demo_nothing_is_practised() -> None:
    assert not load().practice


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "never-print-me")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:never-print-me@h/n")
    monkeypatch.setenv("OPENAI_API_KEY", "never-print-me")
    assert "never-print-me" not in repr(load())


@pytest.mark.parametrize(
    ("given", "https_only"),
    [
        ({}, True),
        ({"DEMO": "1"}, False),
        ({"DEBUG": "1"}, False),
        ({"BASE_URL": "http://internal.example"}, False),
        ({"BASE_URL": "https://public.example", "DEMO": "1"}, True),
        ({"SECURE": "0"}, False),
        ({"SECURE": "1", "DEMO": "1"}, True),
    ],
)
def test_https_is_demanded_unless_something_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], https_only: bool
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"COUNTERSIGN_{name}", value)
    assert load().https_only is https_only
    assert filled_in(load()).https_only is https_only


def test_the_data_directory_does_not_move_with_the_working_directory(tmp_path: Path) -> None:
    assert Config(data_dir=Path("relative")).data_dir.is_absolute()


@pytest.mark.parametrize("trial", ["COUNTERSIGN_DEMO", "COUNTERSIGN_DEBUG"])
def test_fault_points_are_taken_in_a_trial_and_never_behind_a_public_address(
    monkeypatch: pytest.MonkeyPatch, trial: str
) -> None:
    monkeypatch.setenv("COUNTERSIGN_FAULT_POINTS", "/tmp/points")
    monkeypatch.setenv(trial, "1")
    assert load().fault_points == Path("/tmp/points")
    monkeypatch.setenv("COUNTERSIGN_BASE_URL", "https://countersign.example")
    with pytest.raises(ConfigError, match="lets processes kill themselves"):
        load()


def test_secrets_of_tools_are_given_by_name_and_never_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COUNTERSIGN_SECRET_PAYMENTS_KEY", "sk-4711-0815")
    monkeypatch.setenv("COUNTERSIGN_SECRET_EMPTY_ONE", "")
    config = load()
    assert config.tool_secrets == {"payments_key": "sk-4711-0815"}
    assert "4711" not in repr(config)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("COUNTERSIGN_SECRET_KEY", "a-long-enough-one", "did you mean SECRET_KEY"),
        ("COUNTERSIGN_SECRET_Payments", "a-long-enough-one", "use capital letters"),
        ("COUNTERSIGN_SECRET_PIN", "4711", "COUNTERSIGN_SECRET_PIN is shorter than 8 characters"),
        ("COUNTERSIGN_TOOL_SECRETS", "{}", "not a setting"),
    ],
)
def test_a_secret_of_a_tool_that_cannot_be_used_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=sentence) as refusal:
        load()
    assert value not in str(refusal.value)


PROVIDER = {
    "COUNTERSIGN_OIDC_ISSUER": "https://login.example",
    "COUNTERSIGN_OIDC_CLIENT_ID": "countersign",
    "COUNTERSIGN_OIDC_CLIENT_SECRET": "kept-to-itself",
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"CLIENT_SECRET": ""}, "needs COUNTERSIGN_OIDC_CLIENT_SECRET as well"),
        ({"ISSUER": "http://login.example"}, "must begin with https://"),
        ({"ISSUER": "https://login.example/?tenant=1"}, "has no"),
        ({"ISSUER": "login.example"}, "is not a web address"),
        ({"ISSUER": "https://one:two@login.example"}, "is not a web address"),
        ({"SCOPES": "profile"}, "must name openid"),
        ({"ROLES": '{"leads": ["rewiever"]}'}, "the role 'rewiever', which there is not"),
        ({"ROLES": '{"leads": 7}'}, "is a JSON object"),
        ({"REVIEW_GROUPS": "leads"}, "is a JSON object"),
    ],
)
def test_an_identity_provider_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], sentence: str
) -> None:
    given = {f"COUNTERSIGN_OIDC_{name}": value for name, value in changes.items()}
    for name, value in (PROVIDER | given | {"COUNTERSIGN_PROCESS": "web"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=sentence) as refusal:
        load()
    assert "kept-to-itself" not in str(refusal.value)


def test_only_a_web_process_needs_the_secret_of_the_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (PROVIDER | {"COUNTERSIGN_OIDC_CLIENT_SECRET": ""}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COUNTERSIGN_PASSWORDS", "0")
    # The command changes this one, and would become the server.
    monkeypatch.setenv("COUNTERSIGN_PROCESS", "command")
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("It started."))
    assert load().oidc_issuer == "https://login.example"
    with pytest.raises(ConfigError, match="needs COUNTERSIGN_OIDC_CLIENT_SECRET as well"):
        call_command("web")


def test_an_identity_provider_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PROVIDER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COUNTERSIGN_OIDC_ROLES", '{"leads": ["reviewer", "operator"]}')
    monkeypatch.setenv("COUNTERSIGN_OIDC_REVIEW_GROUPS", '{"leads": "finance"}')
    terms = load().oidc
    assert terms is not None
    assert terms.name == "login.example"
    assert terms.roles == {"leads": ("reviewer", "operator")}
    assert terms.review_groups == {"leads": ("finance",)}
    assert "kept-to-itself" not in repr(terms)
    assert not terms.lets_strangers_in


def test_passwords_stay_where_nothing_else_lets_people_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_PASSWORDS", "0")
    with pytest.raises(ConfigError, match="else nobody could sign in"):
        load()


def test_secrets_may_lie_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    address = "postgresql://app:kept-to-itself@database.example/countersign"
    for name, content in {
        "DATABASE_URL": address + "\n",
        "SECRET_KEY": "kept-to-itself",
        "COUNTERSIGN_SECRET_PAYMENTS_KEY": "kept-to-itself\r\n",
        "COUNTERSIGN_ENDPOINTS": '{"local": {"base_url": "http://127.0.0.1:1/v1", "key_env": "LOCAL_KEY"}}',
        "LOCAL_KEY": "kept-to-itself",
    }.items():
        (tmp_path / name).write_text(content)
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    config = load()
    assert (config.database_url, config.secret_key) == (address, "kept-to-itself")
    assert config.tool_secrets == {"payments_key": "kept-to-itself"}
    assert config.endpoints["local"].api_key == "kept-to-itself"
    assert "kept-to-itself" not in repr(config)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("DATABASE_URL", None, "DATABASE_URL_FILE: .* cannot be read"),
        ("DATABASE_URL", "", "DATABASE_URL_FILE: .* is empty"),
        ("DATABASE_URL", "mysql://u:kept-to-itself@h/n", "^DATABASE_URL is not a PostgreSQL"),
        ("COUNTERSIGN_METRICS_TOKEN", "kept", "^COUNTERSIGN_METRICS_TOKEN String should match"),
        ("COUNTERSIGN_SECRET_PIN", "4711", "COUNTERSIGN_SECRET_PIN is shorter"),
        ("COUNTERSIGN_UNDO_SECONDS", "5", "COUNTERSIGN_UNDO_SECONDS_FILE is not a setting"),
        ("COUNTERSIGN_COIN_SECRT", "kept-to-itself", "did you mean COUNTERSIGN_COIN_SECRET_FILE"),
    ],
)
def test_a_file_that_gives_no_usable_secret_is_named_without_its_content(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    content: str | None,
    sentence: str,
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    with pytest.raises(ConfigError, match=sentence) as refusal:
        load()
    assert "kept-to-itself" not in str(refusal.value)


def test_a_secret_that_is_given_twice_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("one")
    monkeypatch.setenv("SECRET_KEY", "other")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ConfigError, match="SECRET_KEY and SECRET_KEY_FILE are both set"):
        load()
