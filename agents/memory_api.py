"""What agents wrote down, over REST: translate, one domain call, translate back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status

from accounts.doors import signed_in
from agents.errors import UnknownAgent
from agents.models import HostedAgent, Memory
from agents.services.forget import forget
from audit.paging import page

router = Router()


class MemoryList(Schema):
    items: list[dict[str, Any]]
    next_cursor: str | None


@router.get(
    "agents/{slug}/memories", response=MemoryList, tags=["agents"], summary="What it wrote down"
)
def list_memories(
    request: HttpRequest,
    slug: str,
    q: str = "",
    replaced: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Newest first; with `q` those that hold one of its words, with `replaced` also what a newer one replaced.
    For its owner group, admins of agents, and those who read everything."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    if not HostedAgent.objects.visible_to(caller.user).filter(slug=slug).exists():
        raise UnknownAgent(slug)
    rows = Memory.objects.visible_to(caller.user).filter(agent__slug=slug)
    rows = rows if replaced else rows.current()
    found = page(rows.matching(q).select_related("step"), cursor=cursor, limit=limit)
    return {"items": [as_json(each) for each in found.items], "next_cursor": found.next_cursor}


@router.delete(
    "agents/{slug}/memories/{uuid:memory_id}",
    response={204: None},
    tags=["agents"],
    summary="Delete what it wrote down",
)
def delete_memory(request: HttpRequest, slug: str, memory_id: UUID) -> Status[None]:
    """For good, with what stood under the same key before."""
    forget(agent=slug, memory_id=memory_id, caller=signed_in(request))
    return Status(204, None)


def as_json(memory: Memory) -> dict[str, Any]:
    """One thing that was written down; `only_in_run` bounds it to that run and those below."""
    return {
        "id": str(memory.pk),
        "key": memory.key,
        "text": memory.text,
        "only_in_run": str(memory.root_id) if memory.root_id else None,
        "run": str(memory.run_id),
        "step": memory.step.seq,
        "tainted": memory.tainted,
        "tainted_by": memory.tainted_by,
        "created_at": memory.created_at.isoformat(),
        "replaced_at": memory.superseded_at.isoformat() if memory.superseded_at else None,
    }
