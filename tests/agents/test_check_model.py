"""`manage.py check_model` tries a model over real HTTP and says in sentences what degrades."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents.endpoints import NamedEndpoint
from tests.model_server import Answer, ModelServer, call, completion, error, says

Reply = Callable[[dict[str, Any]], Answer]
GOOD = call("say_back", {"word": "seven", "confidence": 0.9})


def replies(message: dict[str, Any] | None = None, **more: Any) -> Reply:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    reply = completion(message or {"tool_calls": [GOOD]}, **{"usage": usage, **more})
    return lambda _request: reply


def tried(model: ModelServer, script: Reply, name: str = "") -> str:
    model.follow(script)
    told = StringIO()
    call_command("check_model", *([name] if name else []), stdout=told)
    return told.getvalue()


def test_a_good_model_is_said_to_be_usable_with_what_it_lacks(db: None, model: ModelServer) -> None:
    told = tried(model, replies())
    assert "Tools: it calls them as they are described." in told
    assert "Usage: it counts tokens." in told
    assert "Cached tokens: it says how many." in told
    assert "Strict schemas: taken." in told
    assert "Log-probabilities: none given." in told
    assert "Price: none is set." in told
    assert "scripted can be used." in told
    assert len(model.requests) == 3
    assert model.requests[1]["tools"][0]["function"]["strict"] is True
    assert model.requests[2]["logprobs"] is True


def test_the_model_that_is_named_is_tried(db: None, model: ModelServer) -> None:
    assert "other can be used." in tried(model, replies(model="other-2026"), "other")
    assert {request["model"] for request in model.requests} == {"other"}


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (replies(usage=None), "Usage: it does not count tokens."),
        (replies(usage={"prompt_tokens": 1, "completion_tokens": 1}), "Cached tokens: it does not"),
        (replies(model=None), "does not say which model does"),
        (replies(model="other-2026"), "It answers, as other-2026."),
        (
            replies({"tool_calls": [call("say_back", {"word": "seven"})]}),
            "Tools: its call did not fit the schema.",
        ),
        (
            lambda request: error(400) if "logprobs" in request else replies()(request),
            "Log-probabilities: refused (The model server refused the request (400)).",
        ),
        (
            lambda request: (
                error(400) if "strict" in request["tools"][0]["function"] else replies()(request)
            ),
            "Strict schemas: refused",
        ),
    ],
)
def test_what_degrades_is_said_and_the_model_can_be_used_all_the_same(
    db: None, model: ModelServer, script: Reply, sentence: str
) -> None:
    told = tried(model, script)
    assert sentence in told
    assert "can be used." in told


@pytest.mark.parametrize(
    "script",
    [
        lambda _request: says("Seven."),
        lambda _request: error(401),
        lambda _request: error(404),
        lambda _request: Answer(body=b"<html>"),
    ],
)
def test_a_model_that_agents_cannot_use_ends_the_command_with_an_error(
    db: None, model: ModelServer, script: Reply
) -> None:
    with pytest.raises(CommandError, match="scripted cannot be used by agents"):
        tried(model, script)


def test_the_practice_model_is_not_tried(db: None, settings: Any) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"demo": True, "openai_base_url": "", "openai_api_key": ""}
    )
    with pytest.raises(CommandError, match="practice model"):
        call_command("check_model")


def test_without_a_model_to_try_the_command_says_what_to_set(
    db: None, model: ModelServer, settings: Any
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"openai_model": ""})
    with pytest.raises(CommandError, match="set OPENAI_MODEL, or give a name"):
        call_command("check_model")
    assert model.requests == []


def test_what_an_endpoint_asks_for_besides_is_not_in_the_first_call(
    db: None, model: ModelServer, settings: Any
) -> None:
    more = {"base_url": model.url, "strict_tools": True, "log_probabilities": True}
    there = {"local": NamedEndpoint.model_validate(more)}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"endpoints": there})
    assert "local/small can be used." in tried(model, replies(), "local/small")
    plain, strict, told = model.requests
    assert "strict" not in plain["tools"][0]["function"]
    assert ["logprobs" in request for request in (plain, strict, told)] == [False, False, True]
