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
from approvals.naming import agent_titles
from approvals.policies import Policy, load
from approvals.policy_forms import ScoreForm
from approvals.policy_words import DEFAULT_LINE, Names, line_key, line_title, names_of
from approvals.scores import ScoreChoice, score_sentence
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
    called = Names(agents=agent_titles())
    context = {
        "draft": draft,
        "form": form,
        "edition": request.POST.get("edition", draft.edition),
        "lines": [
            {
                "about": line_title(names, called),
                "key": line_key(names),
                "says": score_sentence(choice),
            }
            for names, choice in policy.scores.lines()
        ],
    }
    status = 422 if form.errors else 200
    return render(request, "approvals/policy_scores.html", context, status=status)


def _form(request: HttpRequest, policy: Policy) -> ScoreForm:
    installed = ports.runs().catalogue()
    there = [names for names, _ in policy.scores.lines()]
    pairs = [{"agent": each.agent, "tool": each.tool} for each in installed]
    agents = [{"agent": agent} for agent in sorted({each.agent for each in installed})]
    tools = [{"tool": tool} for tool in sorted({each.tool for each in installed})]
    called = Names(agents=agent_titles())
    counted = (*there, *agents, *tools, *pairs)
    lines = {line_key(each): line_title(each, called) for each in counted}
    key = request.GET.get("line", DEFAULT_LINE)
    choice = next((c for names, c in policy.scores.lines() if line_key(names) == key), None)
    initial: dict[str, Any] = {"line": key, **(choice or ScoreChoice()).model_dump(mode="json")}
    return ScoreForm(request.POST or None, initial=initial, lines=list(lines.items()))


def _path(names: dict[str, str]) -> str:
    match names:
        case {"agent": agent, "tool": tool}:
            return f"scores.agent_tools.{agent}.{tool}"
        case {"tool": tool}:
            return f"scores.tools.{tool}"
        case {"agent": agent}:
            return f"scores.agents.{agent}"
    return "scores.default"
