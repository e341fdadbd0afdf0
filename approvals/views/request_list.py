"""All requests that a person may see, by filters in the address: what the figures of insights lead to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_safe

from accounts.callers import Caller
from accounts.doors import signed_in
from approvals import ports
from approvals.layouts import words_of
from approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from approvals.request_lists import (
    AGE_WORDS,
    CLOSED,
    DEADLINES,
    HOWS,
    STATES,
    WAITING,
    RequestFilters,
    requests_listed,
)
from approvals.standing import standing_of
from approvals.views.list_form import LONGEST_NAME, NameField, offer
from approvals.views.masking import masked
from audit.clock import database_now
from audit.paging import BadCursor, page
from audit.wordings import str_later

PER_PAGE: Final = 50
FIRST_DAY: Final = date(1970, 1, 2)
LAST_DAY: Final = date(9998, 12, 31)
#: Agents and tools are picked from those of so many requests, the newest of the list.
MOST_NAMED: Final = 1_000


def _one_of(label: Any, words: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        required=False, label=label, choices=[("", gettext_lazy("Any")), *words.choices()]
    )


def _day(label: Any) -> forms.DateField:
    return forms.DateField(
        required=False, label=label, widget=forms.DateInput(attrs={"type": "date"})
    )


class RequestListForm(forms.Form):
    """Which requests are listed."""

    state = forms.ChoiceField(
        required=False,
        label=gettext_lazy("State"),
        choices=[(k, v) for k, v in STATES.choices()][::-1],
    )
    since = _day(gettext_lazy("Closed from"))
    until = _day(gettext_lazy("Closed up to"))
    how = _one_of(gettext_lazy("How"), HOWS)
    deadline = _one_of(gettext_lazy("Deadline"), DEADLINES)
    age = _one_of(gettext_lazy("Waiting for"), AGE_WORDS)
    agent = NameField(str_later("Agent"))
    tool = NameField(str_later("Tool"))
    version = forms.CharField(required=False, max_length=LONGEST_NAME, widget=forms.HiddenInput)
    category = forms.SlugField(required=False, max_length=20, widget=forms.HiddenInput)
    person = forms.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput
    )
    fast = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Days in their order, and such as a clock can name."""
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        for name, day in (("since", since), ("until", until)):
            if day is not None and not FIRST_DAY <= day <= LAST_DAY:
                self.add_error(name, gettext("There is nothing from then."))
        if since and until and since > until:
            self.add_error("until", gettext("This day is before the first one."))
        return self.cleaned_data

    def asked(self, caller: Caller) -> RequestFilters:
        """What is asked for; only after is_valid(). Who decided is told to those who read everything."""
        given = self.cleaned_data
        category = given["category"]
        return RequestFilters(
            state=given["state"] or CLOSED,
            age=given["age"],
            since=given["since"],
            until=given["until"],
            how=given["how"],
            deadline=given["deadline"],
            agent=given["agent"],
            version=given["version"],
            versions=tuple(ports.runs().versions_of(category)) if category else None,
            tool=given["tool"],
            person=given["person"] if caller.holds("read_everything") else None,
            fast=given["fast"],
        )


@login_required
@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    """Those that one may see and that fit; the newest first."""
    caller = signed_in(request)
    form = RequestListForm(request.GET, auto_id="filter-%s")
    if not form.is_valid():
        offer(form, (), ())
        return render(
            request, "approvals/request_list.html", {"form": form, "given": {}}, status=422
        )
    given = {name: str(value) for name, value in form.cleaned_data.items() if value}
    asked = form.asked(caller)
    waits = asked.state == WAITING
    now = database_now()
    _offer_names(form, _newest_first(RequestFilters(state=asked.state), caller, now))
    found = requests_listed(asked, caller, now).select_related("decided_by")
    try:
        shown = page(
            found if waits else found.last_decided_first(),
            order=("-created_at", "-id") if waits else ("-decided_at", "-id"),
            cursor=request.GET.get("cursor"),
            limit=PER_PAGE,
            ordered=not waits,
        )
    except BadCursor:
        messages.warning(
            request, gettext("That page is not there any more. This is the first one.")
        )
        return redirect(_address(given))
    context = {
        "form": form,
        "given": given,
        "waits": waits,
        "rows": [(masked(item, caller, listed=True), _closed(item)) for item in shown.items],
        "next_url": _address({**given, "cursor": shown.next_cursor}) if shown.next_cursor else "",
        "first_url": _address(given) if request.GET.get("cursor") else "",
    }
    return render(request, "approvals/request_list.html", context)


def _newest_first(
    filters: RequestFilters, caller: Caller, now: datetime
) -> ApprovalRequestQuerySet:
    found = requests_listed(filters, caller, now)
    if filters.state == WAITING:
        return found.order_by("-created_at", "-id")
    return found.last_decided_first()


def _offer_names(form: RequestListForm, rows: ApprovalRequestQuerySet) -> None:
    """The agents and tools of the list to pick from, as people call them. One query."""
    agents: dict[str, str] = {}
    tools: dict[str, str] = {}
    for agent, title, tool in rows.values_list("agent", "agent_title", "tool")[:MOST_NAMED]:
        agents.setdefault(agent, title or agent)
        if tool:
            tools[tool] = words_of(tool)
    offer(
        form,
        sorted(agents.items(), key=lambda each: each[1].casefold()),
        sorted(tools.items(), key=lambda each: each[1].casefold()),
    )


def _closed(item: ApprovalRequest) -> str:
    return standing_of(item).sentence if item.decided_at else ""


def _address(given: Mapping[str, str]) -> str:
    return reverse("request-list") + (f"?{urlencode(given)}" if given else "")
