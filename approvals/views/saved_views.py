"""Saved views: a person's own named filters, to find, rename and delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.callers import Caller
from accounts.doors import signed_in
from approvals.errors.saved_views import BadView, ViewUnknown
from approvals.models import SavedView
from approvals.models.saved_view import LONGEST_NAME
from approvals.services.saved_views import delete_view, rename_view, save_view
from approvals.views.listed import TABS, chips_of, listed_of, read
from audit.prepared import Prepared

_views_of = Prepared(
    lambda person: SavedView.objects.filter(user=person).order_by("name", "pk"), -1
)


@dataclass(frozen=True)
class Line:
    """One saved view: its name, where it leads, and what it asks for in words."""

    pk: int
    name: str
    url: str
    words: str
    current: bool = False


def lines_of(caller: Caller, query: str = "") -> list[Line]:
    """The person's own, by name; `query` is the list that stands there now. One query."""
    found = sorted(_views_of(caller.user.pk), key=lambda view: view.name.casefold())
    return [
        Line(
            view.pk,
            view.name,
            f"{reverse('inbox')}?{view.query}",
            _words(view.query),
            view.query == query,
        )
        for view in found
    ]


def _words(query: str) -> str:
    listed = read(QueryDict(query))
    words = [f"“{listed.filters.words}”"] if listed.filters.words else []
    return " · ".join([TABS[listed.tab], *words, *(chip.words for chip in chips_of(listed, {}))])


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def saved_views(request: HttpRequest) -> HttpResponse:
    """All of them, each with its name to change; a POST names the list that it comes from."""
    if request.method != "POST":
        return _page(request)
    listed, name = listed_of(request), str(request.POST.get("name", ""))
    if listed.wrong or not listed.said:
        return _page(request, problem=gettext("There are no filters to save."), name=name)
    try:
        view = save_view(name=name, query=listed.query, caller=signed_in(request))
    except BadView as refusal:
        return _page(request, problem=refusal.detail, name=name, query=listed.query)
    messages.success(
        request, gettext("“{name}” is saved. Find it under Views.").format(name=view.name)
    )
    return redirect(f"{reverse('inbox')}?{view.query}")


@login_required
@require_POST
def saved_view_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Another name for one, or none of it any more."""
    caller, name = signed_in(request), str(request.POST.get("name", ""))
    try:
        if "delete" in request.POST:
            delete_view(pk=pk, caller=caller)
            messages.success(request, gettext("The view is deleted."))
        else:
            view = rename_view(pk=pk, name=name, caller=caller)
            messages.success(request, gettext("It is called “{name}” now.").format(name=view.name))
    except ViewUnknown as refusal:
        raise Http404(refusal.detail) from refusal
    except BadView as refusal:
        return _page(request, problem=refusal.detail, name=name, changed=pk)
    return redirect("saved-views")


def _page(request: HttpRequest, **said: Any) -> HttpResponse:
    """`problem` is what was refused, `name` what was typed; `changed` is the view that it was typed for, and
    `query` the list that was to be saved."""
    context = {"views": lines_of(signed_in(request)), "longest": LONGEST_NAME, **said}
    status = 422 if said else 200
    return render(request, "approvals/saved_views.html", context, status=status)
