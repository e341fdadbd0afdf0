"""Named endpoints: where they are comes from a setting, their keys from variables of their own, and no key is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from agents.endpoints import NamedEndpoint, endpoint_of, named_endpoints, strict_offer
from agents.models import Step
from audit.models import Event
from countersign.config import ConfigError, load
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.model_server import ModelServer, error, final

KEY = "sk-planted-7f3a9c1e"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture
def local(
    settings: Settings, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelServer]:
    """A further model server, `local`, that asks for a key."""
    server = ModelServer()
    monkeypatch.setenv("LOCAL_KEY", KEY)
    there = NamedEndpoint(base_url=server.url, key_env="LOCAL_KEY", strict_tools=True)
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"endpoints": {"local": there}})
    yield server
    server.close()


def test_a_chain_goes_from_a_local_server_to_a_hosted_one(
    counter: Counter, bank: Bank, model: ModelServer, local: ModelServer
) -> None:
    host(teller(bank, models=("local/qwen/qwen3", "gpt-x")))
    local.follow(lambda _request: error(503))
    run = counter.start([final(summary="ok")])
    assert run.state == "succeeded"
    assert {request["model"] for request in local.requests} == {"qwen/qwen3"}
    assert [request["model"] for request in model.requests] == ["gpt-x"]
    step = Step.objects.get(run=run, kind="model")
    assert {attempt["model"] for attempt in step.attempts} == {"local/qwen/qwen3"}
    assert step.name == "gpt-x"


def test_a_slash_in_a_name_without_such_an_endpoint_is_part_of_the_model(
    model: ModelServer,
) -> None:
    there = endpoint_of("meta-llama/Llama-3.3-70B")
    assert (there.model, there.server, there.base_url) == (
        "meta-llama/Llama-3.3-70B",
        "",
        model.url,
    )


def test_the_key_of_an_endpoint_is_sent_to_it_and_stands_nowhere_else(
    counter: Counter,
    bank: Bank,
    local: ModelServer,
    model: ModelServer,
    operator: User,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    host(teller(bank, models=("local/small", "hosted")))
    caplog.set_level(logging.DEBUG)
    local.follow([error(500), error(401)])
    run = counter.start([final(summary="ok")])
    assert run.state == "succeeded"
    assert local.headers[0]["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(model.headers)
    client = Client()
    client.force_login(operator, backend=BACKEND)
    seen = [
        caplog.text,
        "".join(capfd.readouterr()),
        repr(endpoint_of("local/small")),
        *(str(vars(step)) for step in Step.objects.filter(run=run)),
        *(bytes(event.body).decode() for event in Event.objects.all()),
        *(
            client.get(path).content.decode()
            for path in (f"/runs/{run.pk}/", f"/runs/{run.pk}/steps/1/", "/agents/teller/")
        ),
    ]
    assert [text for text in seen if KEY in text] == []


def test_an_endpoint_may_hold_the_model_to_schemas_that_allow_it(
    counter: Counter, bank: Bank, local: ModelServer
) -> None:
    host(teller(bank, models=("local/small",)))
    local.follow([final(summary="ok")])
    counter.start([])
    offered = {tool["function"]["name"]: tool["function"] for tool in local.requests[0]["tools"]}
    assert offered["pay"]["strict"] is True
    assert offered["ask_human"]["strict"] is True


def test_a_schema_that_cannot_be_said_strictly_stays_as_it_is() -> None:
    outer = {
        "type": "object",
        "properties": {"b": {"type": "object", "additionalProperties": {"type": "string"}}},
        "required": ["b"],
        "additionalProperties": False,
    }
    tool = {"type": "function", "function": {"name": "t", "parameters": outer}}
    assert strict_offer([tool]) == [tool]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("nonsense", "is a JSON object of names"),
        ("[1]", "is a JSON object of names"),
        ({"Local": {"base_url": "http://a/v1"}}, "names 'Local'"),
        ({"local": {}}, "'local' cannot be used: base_url"),
        ({"local": {"base_url": "ftp://a/v1"}}, "'local' cannot be used: base_url: is no address"),
        ({"local": {"base_url": f"https://u:{KEY}@a/v1"}}, "holds more than an address"),
        ({"local": {"base_url": f"https://a/v1?key={KEY}"}}, "holds more than an address"),
        ({"local": {"base_url": "http://a/v1", "api_key": KEY}}, "'local' cannot be used: api_key"),
        ({"local": {"base_url": "http://a/v1", "key_env": "NOT_THERE"}}, "NOT_THERE"),
        ({"local": {"base_url": "http://a/v1", "timeout_seconds": 0}}, "timeout_seconds"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_named_and_no_key_is_repeated(
    monkeypatch: pytest.MonkeyPatch, given: object, complaint: str
) -> None:
    text = given if isinstance(given, str) else json.dumps(given)
    monkeypatch.setenv("COUNTERSIGN_ENDPOINTS", text)
    with pytest.raises(ConfigError) as refused:
        load()
    assert complaint in str(refused.value)
    assert KEY not in str(refused.value)


def test_the_default_address_may_hold_no_secret_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://u:{KEY}@host/v1")
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL holds more than an address") as refused:
        load()
    assert KEY not in str(refused.value)


def test_the_example_in_the_docs_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_KEY", KEY)
    text = (Path(__file__).parents[2] / "docs/models.md").read_text()
    example = text.split("COUNTERSIGN_ENDPOINTS='", 1)[1].split("'", 1)[0]
    assert {"local", "openrouter"} <= named_endpoints(example).keys()


def test_what_is_said_of_an_endpoint_holds_for_its_models_and_for_no_others(
    settings: Settings,
) -> None:
    more = {"timeout_seconds": 7, "log_probabilities": True, "strict_tools": True}
    local = NamedEndpoint.model_validate({"base_url": "http://127.0.0.1:1/v1", **more})
    given = {"endpoints": {"local": local}, "openai_base_url": "http://127.0.0.1:2/v1"}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=given)

    def asked(name: str) -> tuple[object, ...]:
        there = endpoint_of(name)
        return (there.timeout_seconds, there.log_probabilities, there.strict_tools, there.model)

    assert asked("local/small") == (7, True, True, "small")
    plain = (settings.COUNTERSIGN.model_timeout_seconds, False, False)
    for name in ("local", "local/", "other/small"):
        assert asked(name) == (*plain, name)
