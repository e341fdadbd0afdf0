"""Access as of a date: who could approve, rebuilt from the log, as a page and as CSV."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django import forms
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_GET

from approvals.access import AccessAt, access_at
from approvals.policy_words import EFFECTS
from approvals.vocabulary import Effect
from audit import spreadsheet
from audit.clock import database_now
from audit.naming import Kind, words_for
from audit.people import names_of

COLUMNS = ("as_of", "policy", "rule", "about", "needs", "group", "person", "name", "on_behalf_of")


class AccessForm(forms.Form):
    """Which day, and which effect."""

    day = forms.DateField(
        required=False,
        label=gettext_lazy("At the end of the day (UTC)"),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    effect = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Calls"),
        choices=lambda: [
            ("", gettext("Any")),
            *(
                (each.value, gettext("one that {word}").format(word=word))
                for each, word in EFFECTS.items()
            ),
        ],
    )

    def moment(self, now: datetime) -> datetime:
        """The end of the day, or now where it is today, later or not given."""
        day = self.cleaned_data["day"]
        if day is None or day >= now.astimezone(UTC).date():
            return now
        return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)


@require_GET
@login_required
@permission_required("accounts.read_audit", raise_exception=True)
def access(request: HttpRequest) -> HttpResponse:
    """Who could approve at the end of a day."""
    form = AccessForm(request.GET)
    if not form.is_valid():
        return render(request, "approvals/access.html", {"form": form}, status=422)
    effect = form.cleaned_data["effect"]
    found = access_at(form.moment(database_now()), Effect(effect) if effect else None)
    names = names_of(
        {
            person
            for line in found.lines
            for each in line.approvers
            for person in (each.person, *each.on_behalf_of)
        }
    )
    if request.GET.get("format") == "csv":
        return _csv(found, names)
    words = _words(found)
    lines = [
        (
            line,
            [
                (
                    names.get(each.person, f"person {each.person}"),
                    words.get(f"group:{each.group}", each.group),
                    [names.get(absent, f"person {absent}") for absent in each.on_behalf_of],
                )
                for each in line.approvers
            ],
        )
        for line in found.lines
    ]
    context = {
        "form": form,
        "found": found,
        "lines": lines,
        "owners": [
            (words.get(f"agent:{agent}", agent), words.get(f"group:{group}", group))
            for agent, group in found.owners.items()
        ],
        "query": request.GET.urlencode(),
    }
    return render(request, "approvals/access.html", context)


def _words(found: AccessAt) -> dict[str, str]:
    """What the agents and groups on the page are called."""
    things: set[tuple[Kind, str]] = {("agent", agent) for agent in found.owners}
    things |= {("group", group) for group in found.owners.values()}
    things |= {("group", each.group) for line in found.lines for each in line.approvers}
    return words_for(things)


def _csv(found: AccessAt, names: dict[str, str]) -> HttpResponse:
    lines = [spreadsheet.line(COLUMNS)]
    version = str(found.policy.version) if found.policy else ""
    for line in found.lines:
        first = [found.at.isoformat(), version, line.rule or "baseline", line.about, line.needs]
        for each in line.approvers:
            absent = " ".join(each.on_behalf_of)
            person = names.get(each.person, "")
            lines.append(spreadsheet.line([*first, each.group, each.person, person, absent]))
        if not line.approvers:
            lines.append(spreadsheet.line([*first, "", "", "nobody", ""]))
    response = HttpResponse(b"".join(lines), content_type="text/csv; charset=utf-8")
    name = f"countersign-access-{found.at:%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
