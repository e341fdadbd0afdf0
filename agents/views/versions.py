"""The page of one version of an agent: what differs from another, and its activation."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from accounts.doors import signed_in
from agents.errors import UnknownVersion
from agents.models import HostedAgent
from agents.versions import compare, versions_of


@require_GET
@login_required
def agent_version(request: HttpRequest, slug: str, digest: str) -> HttpResponse:
    """One version beside the active one, or beside `?against=`."""
    caller = signed_in(request)
    rows = HostedAgent.objects.visible_to(caller.user).select_related(
        "owner_group", "active_version"
    )
    hosted = rows.filter(slug=slug).first()
    if hosted is None:
        raise Http404(gettext("There is no such agent, or you may not see it."))
    try:
        compared = compare(hosted, digest, request.GET.get("against", ""))
    except UnknownVersion as refusal:
        raise Http404(gettext("This agent has no such version.")) from refusal
    may_operate = caller.holds("manage_agents") or hosted.owner_group_id in caller.own_group_ids
    context = {
        "agent": hosted,
        "version": compared.version,
        "against": compared.against,
        "active": compared.active,
        "installed": compared.installed,
        "changes": compared.changes,
        "others": [each for each in versions_of(hosted) if each.pk != compared.version.pk],
        "may_operate": may_operate,
    }
    return render(request, "agents/agent_version.html", context)
