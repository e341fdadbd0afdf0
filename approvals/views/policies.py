"""Policies: the thresholds and rules in force, a changed threshold published with a reason, the history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import wraps
from itertools import chain
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.doors import signed_in
from accounts.models import ReviewGroup
from approvals import ports
from approvals.eligibility import POLICY_READERS
from approvals.errors import BadPolicy, NothingChanged, PolicyUnknown, PublishedMeanwhile
from approvals.forms import ThresholdForm
from approvals.models import PolicyVersion
from approvals.policies import Policy, PublishedPolicy, load
from approvals.policy_words import (
    ThresholdLine,
    baseline_about,
    baseline_outcome,
    changes,
    line_key,
    line_title,
    names_of,
    rule_lines,
    rule_outcome,
    threshold_lines,
    time_to_decide,
    when_sentence,
)
from approvals.services import policies
from approvals.services.publish import publish
from approvals.vocabulary import Risk
from audit.errors import Refusal

MOST_HISTORY = 20
View = Callable[..., HttpResponse]


def for_readers(view: View) -> View:
    """Who decides, publishes or audits may read the policy that they work with."""

    @wraps(view)
    def guarded(request: HttpRequest, **names: Any) -> HttpResponse:
        caller = signed_in(request)
        if not any(caller.holds(permission) for permission in POLICY_READERS):
            raise PermissionDenied("Policies are open to reviewers, admins and auditors.")
        return view(request, **names)

    return guarded


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_readers
def policy_thresholds(request: HttpRequest) -> HttpResponse:
    """The policy in force. An admin opens a line's form by its address, and publishes the change."""
    caller = signed_in(request)
    if request.method == "POST" and not caller.holds("publish_policies"):
        raise PermissionDenied("Publishing a policy needs an admin.")
    if request.method == "POST":
        return _publish(request)
    form = None
    if "line" in request.GET and caller.holds("publish_policies"):
        published = policies.current()
        line = _line_of(published.policy, str(request.GET["line"]))
        initial: dict[str, Any] = {"base_version": published.version}
        if line is not None:
            initial |= {"line": line.key, "value": line.text}
        form = _form(published.policy, initial=initial)
    return _render(request, form)


def _line_of(policy: Policy, key: str) -> ThresholdLine | None:
    lines = [*threshold_lines(policy.thresholds), *rule_lines(policy)]
    return next((line for line in lines if line.key == key), None)


def _publish(request: HttpRequest) -> HttpResponse:
    form = _form(policies.current().policy, data=request.POST)
    if not form.is_valid():
        return _render(request, form, status=422)
    cleaned = form.cleaned_data
    base = cleaned["base_version"]
    try:
        before = policies.version(base).policy
        after = _with(before, cleaned["line"], None if cleaned["remove"] else cleaned["value"])
        published = publish(
            document=after, base_version=base, caller=signed_in(request), why=cleaned["why"]
        )
    except PublishedMeanwhile as refusal:
        return _meanwhile(request, before, refusal)
    except Refusal as refusal:
        field = "value" if isinstance(refusal, NothingChanged | BadPolicy) else None
        for error in refusal.params.get("errors") or [{"message": refusal.detail}]:
            form.add_error(field, str(error["message"]))
        return _render(request, form, status=422)
    said = " ".join(changes(before, after))
    messages.success(request, f"Version {published.version} is in force. {said}")
    return redirect("policy-thresholds")


def _meanwhile(request: HttpRequest, before: Policy, refusal: PublishedMeanwhile) -> HttpResponse:
    """The change as it was typed, on top of what was published meanwhile, which is said first."""
    published = policies.current()
    data = request.POST.copy()
    data["base_version"] = str(published.version)
    form = _form(published.policy, data=data)
    meanwhile = {
        "who": refusal.params["who"],
        "why": refusal.params["why"],
        "number": published.version,
        "changes": changes(before, published.policy),
    }
    return _render(request, form, status=409, meanwhile=meanwhile)


def _with(policy: Policy, key: str, value: Decimal | None) -> Policy:
    names = names_of(key)
    risk = Risk(names["risk"]) if "risk" in names else None
    return policy.with_threshold(
        value,
        risk=risk,
        agent=names.get("agent"),
        tool=names.get("tool"),
        rule=names.get("rule"),
    )


def _form(policy: Policy, **given: Any) -> ThresholdForm:
    """The form over what is installed, and what the policy names though it is gone by now."""
    installed = ports.runs().tools_by_agent()
    lines = threshold_lines(policy.thresholds)
    agents = sorted({*installed, *(line.agent for line in lines)} - {""})
    tools = sorted({*chain(*installed.values()), *(line.tool for line in lines)} - {""})
    pairs = {(agent, tool) for agent, names in installed.items() for tool in names}
    pairs |= {(line.agent, line.tool) for line in lines if line.level == "agent_tool"}
    groups: list[tuple[str, list[dict[str, str]]]] = [
        ("One tool of one agent", [{"agent": a, "tool": t} for a, t in sorted(pairs)]),
        ("A tool, whichever agent", [{"tool": tool} for tool in tools]),
        ("All tools of an agent", [{"agent": agent} for agent in agents]),
        ("A risk", [{"risk": risk.value} for risk in reversed(Risk)]),
        ("A rule that allows", [line.names for line in rule_lines(policy)]),
        ("Anything else", [{}]),
    ]
    offered = [
        (title, [(line_key(names), line_title(names)) for names in each])
        for title, each in groups
        if each
    ]
    return ThresholdForm(lines=offered, **given)


def _render(
    request: HttpRequest,
    form: ThresholdForm | None,
    *,
    status: int = 200,
    meanwhile: Mapping[str, Any] | None = None,
) -> HttpResponse:
    published = policies.current()
    caller = signed_in(request)
    context = {
        **_described(published),
        "may_publish": caller.holds("publish_policies"),
        "form": form,
        "meanwhile": meanwhile,
        "editing": _line_of(published.policy, str(form["line"].value()))
        if form is not None
        else None,
        "history": _history(published.version),
    }
    return render(request, "approvals/policies.html", context, status=status)


@login_required
@require_safe
@for_readers
def policy_version(request: HttpRequest, number: int) -> HttpResponse:
    """One version as it was published, and what it changed."""
    try:
        published = policies.version(number)
    except PolicyUnknown as refusal:
        raise Http404(refusal.detail) from refusal
    return render(request, "approvals/policy_version.html", _described(published))


def _described(published: PublishedPolicy) -> dict[str, Any]:
    """One version in words: thresholds, rules, baseline, and who published it why."""
    policy = published.policy
    titles = dict(ReviewGroup.objects.values_list("slug", "title"))
    row = PolicyVersion.objects.select_related("published_by").get(number=published.version)
    return {
        "published": published,
        "version": _entry(row, _policy_before(row)),
        "lines": threshold_lines(policy.thresholds),
        "rules": [
            {
                "name": rule.name,
                "title": rule.title or rule.name,
                "effect": rule.effect,
                "scope": titles.get(rule.group or "", rule.group),
                "when": f"When {when_sentence(rule.when)}",
                "condition": rule.when.condition or "",
                "outcome": rule_outcome(rule, titles),
                "line": line_key({"rule": rule.name}) if rule.threshold is not None else "",
            }
            for rule in policy.rules
        ],
        "baseline": [
            {"about": baseline_about(line), "outcome": baseline_outcome(line, titles)}
            for line in policy.baseline
        ],
        "time_to_decide": time_to_decide(policy.review_hours, policy.calendar),
        "in_force": policies.current().version == published.version,
    }


@dataclass(frozen=True)
class Entry:
    """One published version in the history."""

    number: int
    at: datetime | None
    who: str
    why: str
    changes: list[str]
    url: str


def _entry(row: PolicyVersion, before: Policy | None) -> Entry:
    number = row.number or 0
    return Entry(
        number=number,
        at=row.published_at,
        who=row.published_by.get_full_name() if row.published_by else "The system",
        why=row.why,
        changes=changes(before, load(row.document)) if before is not None else [],
        url=reverse("policy-version", kwargs={"number": number}),
    )


def _policy_before(row: PolicyVersion) -> Policy | None:
    earlier = PolicyVersion.objects.published().filter(number__lt=row.number)
    document = earlier.order_by("-number").values_list("document", flat=True).first()
    return load(document) if document is not None else None


def _history(newest: int) -> list[Entry]:
    """The newest versions with what each changed; one query."""
    found = (
        PolicyVersion.objects.published().filter(number__lte=newest).select_related("published_by")
    )
    rows = list(found.newest_first()[: MOST_HISTORY + 1])
    befores = [load(row.document) for row in rows[1:]]
    pairs = zip(rows, [*befores, None], strict=True)
    return [_entry(row, before) for row, before in pairs][:MOST_HISTORY]
