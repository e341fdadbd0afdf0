"""System checks of the house, for `manage.py check --deploy`."""

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as CheckWarning

from audit.environment import SUFFIX
from countersign.otlp_environment import SPEAKS, is_wanted, protocol


@register(Tags.security, deploy=True)
def named_in_environment(
    app_configs: Sequence[AppConfig] | None, **_kwargs: Any
) -> list[CheckMessage]:
    """Warn about what a deployment must say itself, because the data directory is one machine's."""
    needed = {
        "SECRET_KEY": "Each machine would sign sessions with a key of its own.",
        "COUNTERSIGN_BASE_URL": "Links in mails would lead to 127.0.0.1.",
        "DATABASE_URL": "The embedded PostgreSQL serves one machine.",
        "REDIS_URL": "The embedded Redis serves one machine.",
    }
    return [
        CheckWarning(f"{name} is not set. {why}", id=f"countersign.W{number:03}")
        for number, (name, why) in enumerate(needed.items(), start=1)
        if not (os.environ.get(name) or os.environ.get(name + SUFFIX))
    ]


@register()
def spans_are_spoken(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """Spans that would go nowhere are said at the start, instead of being missed when they are needed."""
    if not is_wanted() or protocol() == SPEAKS:
        return []
    what = f"Spans are sent as {SPEAKS}; OTEL_EXPORTER_OTLP_PROTOCOL asks for {protocol()}."
    return [CheckWarning(what, hint=f"Set it to {SPEAKS}.", id="countersign.W005")]
