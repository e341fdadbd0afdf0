"""Versions of agents over REST: translate, one domain call, translate back."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.errors import UnknownAgent
from agents.models import HostedAgent
from agents.versions import compare, versions_of

router = Router()


class VersionList(Schema):
    items: list[dict[str, Any]]


def _agent(caller: Caller, slug: str) -> HostedAgent:
    caller.require(None, scope="read")
    rows = HostedAgent.objects.visible_to(caller.user).select_related("active_version")
    hosted = rows.filter(slug=slug).first()
    if hosted is None:
        raise UnknownAgent(slug)
    return hosted


@router.get("agents/{slug}/versions", response=VersionList, tags=["agents"], summary="Its versions")
def list_versions(request: HttpRequest, slug: str) -> dict[str, Any]:
    """The recorded versions, the one that was seen last first; at most 50."""
    hosted = _agent(signed_in(request), slug)
    return {
        "items": [
            {
                "digest": version.digest,
                "first_seen_at": version.first_seen_at.isoformat(),
                "active": version.pk == hosted.active_version_id,
            }
            for version in versions_of(hosted)
        ]
    }


@router.get(
    "agents/{slug}/versions/{digest}",
    response=dict[str, Any],
    tags=["agents"],
    summary="One version, and what differs",
)
def read_version(
    request: HttpRequest,
    slug: str,
    digest: str,
    against: Annotated[str, Query(max_length=71)] = "",
) -> dict[str, Any]:
    """Its definition, and what differs from the version `against`; from the active one, where none is
    named; of the active one, from the version before."""
    return compare(_agent(signed_in(request), slug), digest, against).as_json()
