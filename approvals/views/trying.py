"""Try one action on a draft: the verdict, and what every rule made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts.callers import Caller
from accounts.doors import signed_in
from approvals import ports
from approvals.eligibility import hidden_arguments
from approvals.gate import judge
from approvals.matching import Finding, Silent, matched
from approvals.models import ApprovalRequest
from approvals.naming import names
from approvals.policies import PublishedPolicy, load
from approvals.policy_words import miss_sentence, requirements_sentence
from approvals.reasons import sentences
from approvals.schemas import Confidence, GateContext, GateVerdict, ProposedAction
from approvals.services import policies
from approvals.simulation_forms import TryForm
from approvals.views.drafts import found
from approvals.views.masking import masked
from approvals.views.policy_page import saying_refusals
from approvals.vocabulary import Kind
from audit.clock import database_now
from audit.errors import Invalid

MOST_PAST = 8


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@saying_refusals
def policy_try(request: HttpRequest, pk: int) -> HttpResponse:
    """A form for one action, from scratch or from a past request (`?request=`), and the two verdicts."""
    caller = signed_in(request)
    draft = found(pk, caller)
    past = _past(caller)
    form = TryForm(
        request.POST or None,
        initial=_initial(request, past),
        catalogue=ports.runs().catalogue(),
    )
    verdicts: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        policy = load(draft.document)
        try:
            action = _action(form.cleaned_data)
        except Invalid as refusal:
            for line in refusal.lines:
                form.add_error("arguments", line)
        else:
            drafted = PublishedPolicy(0, policy.digest(), policy)
            verdicts = [
                _tried(gettext("By this draft"), action, form.cleaned_data, drafted),
                _tried(
                    gettext("By what is in force"), action, form.cleaned_data, policies.current()
                ),
            ]
    context = {"draft": draft, "form": form, "past": past, "verdicts": verdicts}
    status = 422 if form.errors else 200
    return render(request, "approvals/policy_try.html", context, status=status)


def _past(caller: Caller) -> list[ApprovalRequest]:
    """The newest actions whose arguments this caller may see."""
    rows = ApprovalRequest.objects.visible_to(caller.user).filter(kind=Kind.ACTION).newest_first()
    open_rows = [row for row in rows[: MOST_PAST * 2] if not hidden_arguments(row, caller)]
    return [masked(row, caller) for row in open_rows[:MOST_PAST]]


def _initial(request: HttpRequest, past: list[ApprovalRequest]) -> dict[str, Any]:
    chosen = next((row for row in past if str(row.pk) == request.GET.get("request")), None)
    if chosen is None:
        return {"arguments": "{}", "calls_last_hour": 0}
    context = chosen.context
    score = chosen.confidence.value_bp if chosen.is_score_revealed else None
    return {
        "call": f"{chosen.agent}/{chosen.tool}",
        "arguments": orjson.dumps(chosen.arguments, option=orjson.OPT_INDENT_2).decode(),
        "confidence": f"{score / 10_000:.2f}" if score is not None else None,
        "calls_last_hour": context.calls_last_hour if context else 0,
        "tainted": chosen.tainted,
        "first_use": bool(context and context.first_use),
    }


def _action(given: Mapping[str, Any]) -> ProposedAction:
    agent, _, tool = str(given["call"]).partition("/")
    return ports.runs().validate_arguments(agent, "", tool, given["arguments"]).action


def _tried(
    title: str, action: ProposedAction, given: Mapping[str, Any], published: PublishedPolicy
) -> dict[str, Any]:
    share = given["confidence"]
    # Whatever score decides: it is the one that was given.
    source = published.policy.scores.resolve(agent=action.agent, tool=action.tool).source
    confidence = (
        Confidence(raw_bp=int(share * 10_000), source=source)
        if (share is not None)
        else Confidence()
    )
    context = GateContext(
        at=database_now(),
        tainted=given["tainted"],
        first_use=given["first_use"],
        calls_last_hour=given["calls_last_hour"],
    )
    verdict = judge(action, confidence, context, published)
    return {
        "title": title,
        "outcome": verdict.outcome.value,
        "reasons": sentences(verdict.reasons),
        "needs": _needs(verdict),
        "rules": [_said(each) for each in matched(action, context, published)],
    }


def _needs(verdict: GateVerdict) -> str:
    if verdict.requirements is None:
        return ""
    return requirements_sentence(verdict.requirements, names())


def _said(each: Finding | Silent) -> dict[str, Any]:
    rule = each.rule
    if isinstance(each, Silent):
        said = miss_sentence(each.miss)
    elif each.problem:
        said = gettext("Its condition has no answer: {problem}.").format(problem=each.problem)
    else:
        said = gettext("It speaks of this action.")
    return {
        "title": rule.title or rule.name,
        "effect": rule.effect,
        "speaks": isinstance(each, Finding),
        "said": said,
    }
