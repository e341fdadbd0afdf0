"""Django's admin shows runs, steps and effects and changes none of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from agents.models import AgentVersion, EffectRecord, HostedAgent, Run, Step


class ReadOnly(admin.ModelAdmin[Any]):
    """Everything is looked at; services are the only writers."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


for model in (AgentVersion, EffectRecord, HostedAgent, Run, Step):
    admin.site.register(model, ReadOnly)
