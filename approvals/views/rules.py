"""Rules and lines of the baseline, written one at a time into a draft."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts.callers import Caller
from accounts.doors import signed_in
from approvals import ports
from approvals.authority import authority_of
from approvals.errors import BadPolicy
from approvals.layouts import words_of
from approvals.models import PolicyVersion
from approvals.naming import agent_titles
from approvals.policies import BaselineRow, Policy, Rule, load
from approvals.policy_forms import BaselineForm, RequirementsForm, RuleForm
from approvals.schemas import Requirements
from approvals.services import drafts
from approvals.views.drafts import edition_of, found, may_write
from approvals.views.policy_page import choices, group_choices, saying_refusals

NEW = "new"


def _writable(request: HttpRequest, pk: int) -> tuple[PolicyVersion, Policy, Caller]:
    caller = signed_in(request)
    draft = found(pk, caller)
    if not may_write(draft, authority_of(caller)):
        raise Http404(gettext("This draft cannot be changed any more."))
    return draft, load(draft.document), caller


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@saying_refusals
def policy_rule(request: HttpRequest, pk: int, name: str = NEW) -> HttpResponse:
    """One rule: a form that keeps it, takes it out, or adds a new one."""
    draft, policy, caller = _writable(request, pk)
    rule = next((each for each in policy.rules if each.name == name), None)
    if rule is None and name != NEW:
        raise Http404(gettext("There is no such rule in this draft."))
    if request.method == "POST" and "remove" in request.POST:
        kept = [each for each in policy.document()["rules"] if each["name"] != name]
        return _kept(request, draft, caller, {"rules": kept})
    form = _rule_form(request, rule, caller)
    if request.method == "POST" and form.is_valid():
        document = policy.document()
        names = [each.name for each in policy.rules]
        index = names.index(name) if rule is not None else len(names)
        document["rules"][index : index + 1] = [form.rule(rule)]
        try:
            return _kept(request, draft, caller, {"rules": document["rules"]})
        except BadPolicy as refusal:
            form.take(refusal, f"rules.{index}")
    context = {
        "draft": draft,
        "form": form,
        "rule": rule,
        "edition": request.POST.get("edition", draft.edition),
        "installed": ports.runs().catalogue(),
    }
    status = 422 if form.errors else 200
    return render(request, "approvals/policy_rule.html", context, status=status)


def _rule_form(request: HttpRequest, rule: Rule | None, caller: Caller) -> RuleForm:
    authority = authority_of(caller)
    scopes = [("global", gettext("The whole policy"))] if authority.whole else []
    scopes += [
        (f"group:{slug}", gettext("{title}'s own rules").format(title=title))
        for slug, title in group_choices()
        if authority.whole or slug in authority.groups
    ]
    initial = RuleForm.initial_of(rule) if rule is not None else _blank({"effect": "review"})
    return RuleForm(
        request.POST or None,
        initial=initial,
        **choices(),
        scopes=scopes,
        agents=sorted(agent_titles().items(), key=itemgetter(1)),
        tools=sorted(
            {(facts.tool, words_of(facts.tool)) for facts in ports.runs().catalogue()},
            key=itemgetter(1),
        ),
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@saying_refusals
def policy_baseline(request: HttpRequest, pk: int, place: int | None = None) -> HttpResponse:
    """One line of what happens where no rule speaks; lines are counted from 1."""
    draft, policy, caller = _writable(request, pk)
    if place is not None and not 1 <= place <= len(policy.baseline):
        raise Http404(gettext("There is no such line in this draft."))
    row = policy.baseline[place - 1] if place is not None else None
    index = place - 1 if place is not None else len(policy.baseline)
    rows = policy.document()["baseline"]
    if request.method == "POST" and "remove" in request.POST:
        del rows[index : index + 1]
        return _kept(request, draft, caller, {"baseline": rows})
    form = _baseline_form(request, row)
    if request.method == "POST" and form.is_valid():
        rows[index : index + 1] = [form.row(row)]
        try:
            return _kept(request, draft, caller, {"baseline": rows})
        except BadPolicy as refusal:
            form.take(refusal, f"baseline.{index}")
    context = {
        "draft": draft,
        "form": form,
        "row": row,
        "edition": request.POST.get("edition", draft.edition),
    }
    status = 422 if form.errors else 200
    return render(request, "approvals/policy_baseline.html", context, status=status)


def _baseline_form(request: HttpRequest, row: BaselineRow | None) -> BaselineForm:
    initial = BaselineForm.initial_of(row) if row is not None else _blank({"outcome": "review"})
    return BaselineForm(request.POST or None, initial=initial, **choices())


def _blank(values: dict[str, Any]) -> dict[str, Any]:
    return {**RequirementsForm.values_of(Requirements()), **values}


def _kept(
    request: HttpRequest, draft: PolicyVersion, caller: Caller, changes: dict[str, Any]
) -> HttpResponse:
    drafts.change_draft(
        draft_id=draft.pk,
        document=load(draft.document).document() | changes,
        edition=edition_of(request),
        caller=caller,
    )
    return redirect("policy-draft", pk=draft.pk)
