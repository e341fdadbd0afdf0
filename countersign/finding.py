"""The search of every page: requests, runs and agents by words, each through its own words for who may see what."""

from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.doors import signed_in
from agents.views.found import found_agents, found_runs
from approvals.views.found import found_requests

MOST_OF_A_KIND: Final = 6
LONGEST: Final = 100
#: Fewer characters would find nearly everything.
SHORTEST: Final = 2


@login_required
@require_safe
@never_cache
def find(request: HttpRequest) -> HttpResponse:
    """What the words `q` find, as options of a list."""
    caller = signed_in(request)
    words = request.GET.get("q", "").strip()[:LONGEST]
    found = []
    if len(words) >= SHORTEST:
        for kind in (found_requests, found_runs, found_agents):
            found += kind(caller, words, most=MOST_OF_A_KIND)
    return render(request, "_found.html", {"found": found})
