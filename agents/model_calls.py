"""Asking a model with bounded, journalled attempts. Long waits are left to a sleeping run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import stamina
from django.conf import settings

from agents.chains import models_left
from agents.definitions import Agent
from agents.endpoints import endpoint_of
from agents.journal import Journal
from agents.llm_types import Endpoint, ModelError, Reply, longest_attempt
from agents.model_door import complete

LONGEST_WAIT_SECONDS = 8.0
"""A `Retry-After` beyond this puts the run to sleep instead of holding a worker."""


def endpoints_of(agent: Agent) -> list[Endpoint]:
    """The models that the agent asks, one after the other until one answers."""
    names = agent.route.entry if agent.route else agent.models
    return [endpoint_of(model) for model in names] or [endpoint_of()]


def chain_of(agent: Agent, journal: Journal) -> list[Endpoint]:
    """Those of them that the run still asks; none where all gave too many replies without a usable call."""
    chain = endpoints_of(agent)
    return chain[models_left(journal, len(chain)) :]


def verifiers_of(agent: Agent) -> list[Endpoint]:
    """The models that look for objections to the agent's calls: the one it declares, else its own."""
    return [endpoint_of(agent.verifier)] if agent.verifier else endpoints_of(agent)


def window_of(endpoints: Iterable[Endpoint]) -> int | None:
    """The tokens that the smallest of them takes in one request, which goes from one to the next; None where
    nobody said it of any."""
    said = [each.context_tokens for each in endpoints if each.context_tokens is not None]
    return min(said, default=None)


def longest(endpoint: Endpoint) -> float:
    """Seconds that asking takes at most."""
    return settings.COUNTERSIGN.model_attempts * (longest_attempt(endpoint) + LONGEST_WAIT_SECONDS)


def ask(
    endpoint: Endpoint,
    request: Mapping[str, Any],
    *,
    on_failure: Callable[[ModelError], None],
) -> Reply:
    """Ask up to the configured number of times, with jittered back-off that honours `Retry-After`.

    `on_failure` hears of every attempt that failed, as it fails. Raises the last ModelError.
    """
    config = settings.COUNTERSIGN

    def worth_another(error: Exception) -> bool | float:
        if not isinstance(error, ModelError) or not error.retryable:
            return False
        if error.retry_after is None:
            return True
        return False if error.retry_after > LONGEST_WAIT_SECONDS else error.retry_after

    attempts = stamina.retry_context(
        on=worth_another,
        attempts=config.model_attempts,
        timeout=None,
        wait_initial=config.model_backoff_seconds,
        wait_max=LONGEST_WAIT_SECONDS,
        wait_jitter=config.model_backoff_seconds,
    )
    for attempt in attempts:
        with attempt:
            try:
                return complete(endpoint, request)
            except ModelError as error:
                on_failure(error)
                raise
    raise AssertionError("stamina gives at least one attempt")
