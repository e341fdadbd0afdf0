"""What the standard environment variables of OpenTelemetry say of spans, before any of its parts is loaded."""

from __future__ import annotations

import os
from typing import Final

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPEAKS: Final = "http/protobuf"


def is_wanted() -> bool:
    """Whether they name a receiver of spans and do not switch spans off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return False
    return any(os.environ.get(name) for name in ENDPOINTS)


def protocol() -> str:
    """The protocol of OTLP that they ask for."""
    return next((os.environ[name] for name in PROTOCOLS if os.environ.get(name)), SPEAKS)
