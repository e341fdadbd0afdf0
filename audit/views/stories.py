"""The story of a run or a request as a page to read."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from audit.story import About, story_of
from audit.views.doors import reads_audit


@require_GET
@login_required
@reads_audit
def run_story(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Everything about a run, its requests included, oldest first."""
    return _page(request, "run", pk)


@require_GET
@login_required
@reads_audit
def request_story(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Everything about a request, oldest first."""
    return _page(request, "request", pk)


def _page(request: HttpRequest, about: About, pk: UUID) -> HttpResponse:
    story = story_of(about, pk, viewer=request.user)
    if story is None:
        raise Http404
    context = {
        "about": about,
        "pk": pk,
        "story": story,
        "first": story.lines[0].row,
        "run": pk if about == "run" else next(iter(story.runs), None),
        "may_export": request.user.has_perm("accounts.export_audit"),
    }
    return render(request, "audit/story.html", context)
