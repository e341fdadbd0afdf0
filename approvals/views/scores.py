"""Which score decides: the lines of a draft, one written at a time."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts.doors import signed_in
from approvals import ports
from approvals.authority import authority_of
from approvals.errors import BadPolicy
from approvals.policies import Policy, load
from approvals.policy_forms import ScoreForm
from approvals.policy_words import DEFAULT_LINE, line_key, line_title, names_of
from approvals.scores import ScoreChoice, Scores, score_sentence
from approvals.services import drafts
from approvals.views.drafts import edition_of, found, may_write
from approvals.views.policy_page import saying_refusals


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@saying_refusals
def policy_scores(request: HttpRequest, pk: int) -> HttpResponse:
    """Every line, and the form of the one that the address names (`?line=`)."""
    caller = signed_in(request)
    draft = found(pk, caller)
    authority = authority_of(caller)
    if not (authority.whole and may_write(draft, authority)):
        raise PermissionDenied(
            gettext("Which score decides is for an admin to say, in an open draft.")
        )
    policy = load(draft.document)
    form = _form(request, policy)
    if request.method == "POST" and form.is_valid():
        names = names_of(form.cleaned_data["line"])
        choice = None if "remove" in request.POST else form.choice()
        try:
            drafts.change_draft(
                draft_id=pk,
                document=policy.document() | {"scores": policy.scores.with_line(names, choice)},
                edition=edition_of(request),
                caller=caller,
            )
        except BadPolicy as refusal:
            form.take(refusal, _path(names))
        else:
            return redirect("policy-scores", pk=pk)
    context = {
        "draft": draft,
        "form": form,
        "edition": request.POST.get("edition", draft.edition),
        "lines": [
            {"about": line_title(names), "key": line_key(names), "says": score_sentence(choice)}
            for names, choice in _lines(policy.scores)
        ],
    }
    status = 422 if form.errors else 200
    return render(request, "approvals/policy_scores.html", context, status=status)


def _form(request: HttpRequest, policy: Policy) -> ScoreForm:
    installed = ports.runs().catalogue()
    there = [names for names, _ in _lines(policy.scores)]
    pairs = [{"agent": each.agent, "tool": each.tool} for each in installed]
    agents = [{"agent": agent} for agent in sorted({each.agent for each in installed})]
    tools = [{"tool": tool} for tool in sorted({each.tool for each in installed})]
    lines = {line_key(names): line_title(names) for names in (*there, *agents, *tools, *pairs)}
    key = request.GET.get("line", DEFAULT_LINE)
    choice = next((c for names, c in _lines(policy.scores) if line_key(names) == key), None)
    initial: dict[str, Any] = {"line": key, **(choice or ScoreChoice()).model_dump(mode="json")}
    return ScoreForm(request.POST or None, initial=initial, lines=list(lines.items()))


def _lines(scores: Scores) -> list[tuple[dict[str, str], ScoreChoice]]:
    pairs = [
        ({"agent": agent, "tool": tool}, choice)
        for agent, tools in sorted(scores.agent_tools.items())
        for tool, choice in sorted(tools.items())
    ]
    tools = [({"tool": tool}, choice) for tool, choice in sorted(scores.tools.items())]
    agents = [({"agent": agent}, choice) for agent, choice in sorted(scores.agents.items())]
    return [*pairs, *tools, *agents, ({}, scores.default)]


def _path(names: dict[str, str]) -> str:
    match names:
        case {"agent": agent, "tool": tool}:
            return f"scores.agent_tools.{agent}.{tool}"
        case {"tool": tool}:
            return f"scores.tools.{tool}"
        case {"agent": agent}:
            return f"scores.agents.{agent}"
    return "scores.default"
