"""Django's admin shows runs, steps and effects and changes none of them."""

from __future__ import annotations

from django.contrib import admin

from agents.models import AgentVersion, EffectRecord, HostedAgent, Run, Step
from audit.admin import ReadOnlyAdmin

for model in (AgentVersion, EffectRecord, HostedAgent, Run, Step):
    admin.site.register(model, ReadOnlyAdmin)
