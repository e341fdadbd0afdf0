"""The way to `agents.llm`, which is imported when a model is first asked.

Its client is 500 modules. Web processes, the scheduler and commands ask no model and do without them; workers
import it before they begin (`agents.worker`), so that no run waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.module_loading import import_string

from agents.llm_types import Endpoint, Reply


def complete(endpoint: Endpoint, request: Mapping[str, Any]) -> Reply:
    """As `agents.llm.complete`."""
    reply: Reply = import_string("agents.llm.complete")(endpoint, request)
    return reply
