"""`manage.py check`: whether data-steward has a database login."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, register
from django.core.checks import Warning as CheckWarning

from demo.steward.session import SETTING, login_name


@register("demo")
def steward_has_a_login(
    app_configs: Sequence[AppConfig] | None, **_kwargs: Any
) -> list[CheckMessage]:
    """Warn where the agent's tools will refuse because no login is named."""
    if login_name(settings.COUNTERSIGN.demo_steward_url):
        return []
    return [
        CheckWarning(
            f"{SETTING} is not set: data-steward can read and change nothing.",
            hint="docs/data-steward.md says how to make its login.",
            id="demo.W001",
        )
    ]
