"""Logging as JSON lines on standard error, without secrets."""

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog
from django.http import HttpRequest
from opentelemetry.trace import format_trace_id

from agents.tool_secrets import without_secrets
from audit.tracing import here

MASK = "[masked]"
#: The address of a link for a new password.
RESET_KEY = re.compile(r"(/password/reset/key/)[^/\s\"']+")
SECRET_WORDS = ("password", "secret", "token", "authorization", "api_key", "cookie", "nonce")


def mask_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace every value whose name says that it is secret, at any depth of the event."""
    for key, value in event.items():
        event[key] = _masked(key, value)
    return event


def _masked(key: str, value: Any) -> Any:
    if isinstance(value, HttpRequest):
        # What stands behind the question mark may be a code of a sign-in, or what somebody searched for.
        return f"{value.method} {value.path}"
    if any(word in key.lower() for word in SECRET_WORDS):
        return MASK
    if isinstance(value, dict):
        return {inner: _masked(str(inner), held) for inner, held in value.items()}
    return value


def mask_tool_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Put a mark in place of every secret of a tool, in whatever text it turns up."""
    return {str(key): _without_secrets(value) for key, value in event.items()}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {without_secrets(str(key)): _without_secrets(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(held) for held in value]
    return value


class _Rendered(structlog.processors.JSONRenderer):
    """The line as JSON; what shows a secret only once it is written down is masked there."""

    def __call__(self, logger: Any, name: str, event_dict: MutableMapping[str, Any]) -> str:
        line = str(super().__call__(logger, name, event_dict))
        return without_secrets(RESET_KEY.sub(rf"\1{MASK}", line))


def add_trace(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Say the trace: of a run its id, as spans write it, whether anybody collects spans or not; else that of the
    span that is open."""
    if "trace" not in event:
        trace = trace_of(event.get("run"))
        if trace:
            event["trace"] = trace
    return event


def trace_of(run: object) -> str:
    """The trace that a line with this run belongs to; empty for none."""
    if run is not None:
        return str(run).replace("-", "")
    at_hand = here()
    return format_trace_id(at_hand.trace_id) if at_hand.is_valid else ""


def logging_settings(level: str) -> dict[str, Any]:
    """Return Django's LOGGING and set structlog up; both, and warnings, end in the same JSON lines."""
    logging.captureWarnings(True)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        add_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        mask_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared[:5],
            mask_secrets,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "structlog.stdlib.ProcessorFormatter",
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    mask_tool_secrets,
                    _Rendered(),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers would print each line a second time.
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            # Its DEBUG lines carry every statement with its parameters.
            "django.db.backends": {"level": "INFO"},
        },
    }
