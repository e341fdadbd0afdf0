"""Where models are reached: the default endpoint, which the environment names, and further ones by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from django.conf import settings
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    field_validator,
    model_validator,
)

from agents.definition_rules import LEAST_CONTEXT_TOKENS
from agents.llm_types import Endpoint
from agents.strict_schemas import strict
from audit.environment import given
from audit.named_settings import named

ENDPOINTS: Final = (
    'is a JSON object of names and where they are, such as {"local": {"base_url": '
    '"http://127.0.0.1:8001/v1", "key_env": "LOCAL_KEY"}}'
)


def plain_address(url: str) -> str:
    """The address of a server's API without a slash at the end; ValueError says what is wrong with it.

    Addresses stand in logs, so that nothing secret may be part of one.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is no address; write https://HOST/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("holds more than an address; give the key by a variable of its own")
    return url.rstrip("/")


class NamedEndpoint(BaseModel):
    """One further endpoint. `key_env` names the variable that holds its key; none: it asks for no key.
    `context_tokens`: what its models take in one request: messages, tools and reply."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    base_url: str
    key_env: str = ""
    timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    log_probabilities: bool = False
    strict_tools: bool = False
    context_tokens: Annotated[int, Field(ge=LEAST_CONTEXT_TOKENS)] | None = None

    @field_validator("base_url")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        return plain_address(value)

    @model_validator(mode="after")
    def _key_is_there(self) -> Self:
        if self.key_env and not given(self.key_env):
            raise ValueError(f"{self.key_env}, which is to hold its key, is not set")
        return self

    @property
    def api_key(self) -> str:
        """The key; what stands there without one, the client asks for and the server passes over."""
        return given(self.key_env) if self.key_env else "none"


def named_endpoints(text: str) -> dict[str, NamedEndpoint]:
    """The endpoints in the setting; ValueError says what does not fit, and of which."""
    return named(text, TypeAdapter(NamedEndpoint), ENDPOINTS)


def endpoint_of(name: str = "") -> Endpoint:
    """Where the model of that name is reached: `endpoint/model`, or a model of the default endpoint.

    Without a name: the default model. In the demo without a key the default endpoint is the practice model.
    """
    config = settings.COUNTERSIGN
    server, _, model = name.partition("/")
    further: Mapping[str, NamedEndpoint] = config.endpoints
    if model and server in further:
        there = further[server]
        return Endpoint(
            base_url=there.base_url,
            api_key=there.api_key,
            model=model,
            timeout_seconds=there.timeout_seconds or config.model_timeout_seconds,
            log_probabilities=there.log_probabilities,
            strict_tools=there.strict_tools,
            context_tokens=there.context_tokens,
            server=server,
        )
    if config.practice:
        return Endpoint(
            base_url=f"http://127.0.0.1:{config.port}/practice/v1",
            api_key="practice",
            model="practice",
            timeout_seconds=config.model_timeout_seconds,
        )
    return Endpoint(
        base_url=config.openai_base_url or None,
        api_key=config.openai_api_key or "none",
        model=name or config.openai_model,
        timeout_seconds=config.model_timeout_seconds,
        log_probabilities=config.model_log_probabilities,
        context_tokens=config.model_context_tokens,
    )


def strict_offer(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The offered tools as servers take them that hold a model to a schema exactly; those whose schema cannot
    be said that way stay as they are, since such servers refuse them."""
    return [_strictly_offered(tool) for tool in tools]


def _strictly_offered(tool: dict[str, Any]) -> dict[str, Any]:
    parameters = strict(tool["function"]["parameters"])
    if parameters is None:
        return tool
    return {**tool, "function": {**tool["function"], "parameters": parameters, "strict": True}}
