"""What an agent wrote down: reading, searching, deleting."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from accounts.callers import Caller
from accounts.doors import signed_in
from agents import wording
from agents.forms import MemorySearchForm
from agents.models import HostedAgent, Memory, Run
from agents.services.forget import forget
from agents.views.refusals import say
from audit.errors import Refusal
from audit.paging import BadCursor, page

PER_PAGE: Final = 40


@require_GET
@login_required
def memory_list(request: HttpRequest, slug: str) -> HttpResponse:
    """What the agent keeps, newest first; only those that hold a word of the search, where there is one."""
    caller = signed_in(request)
    agent = _agent(caller, slug)
    form = MemorySearchForm(request.GET)
    asked = form.cleaned_data["q"] if form.is_valid() else ""
    rows = Memory.objects.visible_to(caller.user).filter(agent=agent).current().matching(asked)
    cursor = request.GET.get("cursor")
    address = reverse("memory-list", args=[slug])
    try:
        shown = page(rows.select_related("step", "run"), cursor=cursor, limit=PER_PAGE)
    except BadCursor:
        messages.warning(
            request, gettext("That page is not there any more. This is the first one.")
        )
        return redirect(address)
    runs = Run.objects.visible_for(caller).filter(pk__in=[row.run_id for row in shown.items])
    query = {"q": asked} if asked else {}
    context = {
        "agent": agent,
        "form": form,
        "asked": asked,
        "rows": [(row, _read(row)) for row in shown.items],
        "open_runs": set(runs.values_list("pk", flat=True)),
        "may_delete": may_delete(agent, caller),
        "next_url": f"{address}?{urlencode({**query, 'cursor': shown.next_cursor})}"
        if shown.next_cursor
        else "",
        "first_url": f"{address}?{urlencode(query)}" if cursor else "",
    }
    return render(request, "agents/memory_list.html", context)


@require_POST
@login_required
def memory_delete(request: HttpRequest, slug: str, pk: UUID) -> HttpResponse:
    """Delete it, and go back to the list."""
    try:
        forget(agent=slug, memory_id=pk, caller=signed_in(request))
    except Refusal as refusal:
        say(request, refusal)
    else:
        messages.success(request, gettext("Deleted for good."))
    return redirect("memory-list", slug=slug)


def may_delete(agent: HostedAgent, caller: Caller) -> bool:
    """Whether the service would let the caller delete what the agent keeps."""
    return caller.holds("manage_agents") or agent.owner_group_id in caller.own_group_ids


def may_read(agent: HostedAgent, caller: Caller) -> bool:
    """Whether anything that the agent keeps is shown to the caller."""
    return may_delete(agent, caller) or caller.holds("read_everything")


def _read(memory: Memory) -> str:
    """What the run had read from outside when it wrote this down."""
    return ", ".join(wording.plain(str(name)).lower() for name in memory.tainted_by)


def _agent(caller: Caller, slug: str) -> HostedAgent:
    rows = HostedAgent.objects.visible_to(caller.user).select_related("owner_group")
    agent = rows.filter(slug=slug).first()
    if agent is None or not may_read(agent, caller):
        raise Http404(gettext("There is no such agent, or you may not see what it keeps."))
    return agent
