"""The page on which admins set what an agent may use."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts.doors import signed_in
from agents import registry
from agents.agent_limits import AgentLimits
from agents.errors import LimitsInvalid
from agents.limit_forms import LimitsForm
from agents.limit_words import spent_words
from agents.models import HostedAgent
from agents.services.set_limits import set_limits
from agents.views.refusals import say
from audit.clock import database_now
from audit.errors import Refusal


@require_http_methods(["GET", "POST"])
@login_required
def agent_limits(request: HttpRequest, slug: str) -> HttpResponse:
    """Caps of its runs and what it may spend in a day and a month."""
    caller = signed_in(request)
    hosted = HostedAgent.objects.visible_to(caller.user).filter(slug=slug).first()
    declared = registry.find(slug)
    if hosted is None or declared is None:
        raise Http404(gettext("There is no such agent, or you may not see it."))
    if not caller.holds("manage_agents"):
        raise PermissionDenied(gettext("Those who manage agents set what they may use."))
    given = request.POST if request.method == "POST" else None
    form = LimitsForm(declared, AgentLimits.load(hosted.limits), given)
    if request.method == "POST" and form.is_valid():
        try:
            set_limits(slug=slug, limits=form.limits(), caller=caller)
        except LimitsInvalid as refusal:
            form.add_refusal(str(refusal.params["field"]), refusal.detail)
        except Refusal as refusal:
            say(request, refusal)
            return redirect("agent-detail", slug=slug)
        else:
            messages.success(
                request, gettext("The limits are set. They hold at once, for open runs too.")
            )
            return redirect("agent-detail", slug=slug)
    context = {"agent": hosted, "form": form, "spent": spent_words(hosted, database_now())}
    status = 422 if form.errors else 200
    return render(request, "agents/agent_limits.html", context, status=status)
