"""Sticky approvals: granted from a request, listed, revoked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.callers import Caller
from accounts.doors import signed_in
from approvals.eligibility import hidden_arguments
from approvals.errors import BadBody, RequestUnknown, WhyMissing
from approvals.models import ApprovalRequest, StickyApproval
from approvals.services import policies
from approvals.services.show import show_to
from approvals.services.sticky import grant_sticky, revoke_sticky, why_not_sticky
from approvals.templatetags.interface import as_text
from approvals.views.masking import masked
from approvals.views.policy_page import for_readers, saying_refusals
from audit.numbers import as_number

MOST_LISTED = 100


class StickyForm(forms.Form):
    """What stays of each argument, for how long, and why."""

    hours = forms.FloatField(
        label=gettext_lazy("Hours"),
        min_value=0,
        localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    why = forms.CharField(
        label=gettext_lazy("Why"), max_length=2_000, widget=forms.Textarea(attrs={"rows": "2"})
    )

    def __init__(self, *args: Any, item: ApprovalRequest, most_hours: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["hours"].help_text = gettext("At most {most_hours}.").format(
            most_hours=f"{most_hours:g}"
        )
        self.arguments = list(item.arguments.items())
        for place, (name, value) in enumerate(self.arguments):
            choices = [("same", gettext("stays the same"))]
            if as_number(value) is not None:
                choices.append(("at_most", gettext("at most this")))
            choices.append(("any", gettext("may be anything")))
            self.fields[f"argument_{place}"] = forms.ChoiceField(
                label=name, choices=choices, required=False
            )

    def rows(self) -> list[tuple[str, Any, Any]]:
        """Name, value and bound field of every argument."""
        return [
            (name, value, self[f"argument_{place}"])
            for place, (name, value) in enumerate(self.arguments)
        ]

    def constraints(self) -> dict[str, Any]:
        """What was chosen, by argument."""
        return {
            name: self.cleaned_data[f"argument_{place}"] or "same"
            for place, (name, _) in enumerate(self.arguments)
        }


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@saying_refusals
def request_sticky(request: HttpRequest, request_pk: UUID) -> HttpResponse:
    """The form, and what it grants."""
    caller = signed_in(request)
    caller.require("grant_sticky_approvals", scope="decide")
    try:
        item = show_to(request_id=request_pk, caller=caller)
    except RequestUnknown as refusal:
        raise Http404(refusal.detail) from refusal
    most = policies.current().policy.sticky_hours
    form = StickyForm(
        request.POST or None,
        item=item,
        most_hours=most,
        initial={"hours": f"{min(most, 24):g}"},
    )
    if request.method == "POST" and form.is_valid():
        try:
            grant_sticky(
                request_id=request_pk,
                constraints=form.constraints(),
                hours=form.cleaned_data["hours"],
                why=form.cleaned_data["why"],
                caller=caller,
            )
        except WhyMissing as refusal:
            form.add_error("why", refusal.detail)
        except BadBody as refusal:
            for error in refusal.problems:
                field = error["field"] if error["field"] in form.fields else None
                form.add_error(field, error["message"])
        else:
            messages.success(request, gettext("Calls like this one run by themselves until then."))
            return redirect("sticky-list")
    problem = why_not_sticky(item, most) or _hidden(item, caller)
    context = {"item": masked(item, caller), "form": form, "problem": problem}
    status = 422 if form.errors else 200
    return render(request, "approvals/sticky_grant.html", context, status=status)


def _hidden(item: ApprovalRequest, caller: Caller) -> str:
    if hidden_arguments(item, caller):
        return gettext("You may not see all of its arguments.")
    return ""


@login_required
@require_safe
@for_readers
def sticky_list(request: HttpRequest) -> HttpResponse:
    """What runs by itself because somebody said so, and what did."""
    caller = signed_in(request)
    rows = StickyApproval.objects.select_related("granted_by", "revoked_by").newest_first()
    in_force = set(rows.in_force().values_list("pk", flat=True))
    counting = set(rows.counting().values_list("pk", flat=True))
    listed = [
        {
            "sticky": row,
            "counts": row.pk in counting,
            "rests": row.pk in in_force - counting,
            "constraints": _constraints(row, caller),
            "may_revoke": row.pk in in_force and _may_revoke(row, caller),
        }
        for row in rows[:MOST_LISTED]
    ]
    return render(request, "approvals/sticky_list.html", {"rows": listed})


def _constraints(row: StickyApproval, caller: Caller) -> list[tuple[str, str, str]]:
    """Argument, what it may be, and the value where this reader may see it."""
    words = {"same": gettext("exactly"), "at_most": gettext("at most"), "any": gettext("anything")}
    hidden = set() if caller.holds("read_sensitive") else set(row.sensitive)
    return [
        (name, words[each["how"]], _limit(each, is_hidden=name in hidden))
        for name, each in row.constraints.items()
    ]


def _limit(constraint: dict[str, Any], *, is_hidden: bool) -> str:
    """The value as it follows the words; nothing where any will do."""
    if constraint["how"] == "any":
        return ""
    return "•••" if is_hidden else as_text(constraint["value"])


def _may_revoke(row: StickyApproval, caller: Caller) -> bool:
    return (
        row.granted_by_id == caller.user.pk
        or row.owner_group_id in caller.own_group_ids
        or caller.holds("publish_policies")
    )


@login_required
@require_POST
@saying_refusals
def sticky_revoke(request: HttpRequest, sticky_pk: UUID) -> HttpResponse:
    """End one at once."""
    revoke_sticky(sticky_id=sticky_pk, caller=signed_in(request))
    messages.success(request, gettext("It has ended. Such calls are judged by the policy again."))
    return redirect("sticky-list")
