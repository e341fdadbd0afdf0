"""Keep a definition that nobody declared, for simulated runs to follow: a version with other words or models."""

from __future__ import annotations

from typing import Any

from agents.models import AgentVersion
from audit.canonical import canonical_bytes, sha256_hex
from audit.clock import database_now


def keep_variant(
    base: AgentVersion, *, instructions: str | None = None, model: str | None = None
) -> AgentVersion:
    """The version with these instructions, or asking this model alone; `base` itself where that is the same.

    A variant is named by its digest as every version is, so that two which are alike are one.
    """
    definition: dict[str, Any] = dict(base.definition)
    if instructions is not None:
        definition["instructions"] = instructions
    if model is not None:
        definition["models"] = [model]
        definition.pop("route", None)
    digest = sha256_hex(canonical_bytes(definition))
    version, _ = AgentVersion.objects.get_or_create(
        digest=digest,
        defaults={
            "slug": base.slug,
            "definition": definition,
            "first_seen_at": database_now(),
            "variant": True,
        },
    )
    return version
