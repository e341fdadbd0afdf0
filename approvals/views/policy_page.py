"""What the pages about policies show of one: in words, with who changed it and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import wraps
from itertools import chain
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext

from accounts.doors import signed_in
from accounts.models import ReviewGroup
from approvals import ports
from approvals.eligibility import POLICY_READERS
from approvals.forms import ThresholdForm
from approvals.models import PolicyVersion, WorkingCalendar
from approvals.naming import agent_titles, names
from approvals.policies import Policy, load
from approvals.policy_diff import changes
from approvals.policy_words import (
    Names,
    ThresholdLine,
    baseline_about,
    baseline_outcome,
    line_key,
    line_title,
    names_of,
    rule_lines,
    rule_outcome,
    threshold_lines,
    time_to_decide,
    when_sentence,
)
from approvals.vocabulary import Risk
from audit.errors import Conflict, Forbidden, Invalid, NotFound

View = Callable[..., HttpResponse]


def for_readers(view: View) -> View:
    """Who decides, publishes or audits may read the policy that they work with."""

    @wraps(view)
    def guarded(request: HttpRequest, **names: Any) -> HttpResponse:
        caller = signed_in(request)
        if not any(caller.holds(permission) for permission in POLICY_READERS):
            raise PermissionDenied(gettext("Policies are open to reviewers, admins and auditors."))
        return view(request, **names)

    return guarded


def saying_refusals(view: View) -> View:
    """A refusal that no form takes is said on the page that the view began from."""

    @wraps(view)
    def guarded(request: HttpRequest, **names: Any) -> HttpResponse:
        try:
            return view(request, **names)
        except NotFound as refusal:
            raise Http404(refusal.detail) from refusal
        except Forbidden as refusal:
            raise PermissionDenied(refusal.detail) from refusal
        except (Conflict, Invalid) as refusal:
            messages.error(request, refusal.detail)
            return (
                redirect("policy-draft", pk=names["pk"])
                if "pk" in names
                else redirect("policy-thresholds")
            )

    return guarded


def described(policy: Policy) -> dict[str, Any]:
    """Thresholds, rules and baseline in words."""
    called = names()
    return {
        "called": called,
        "policy": policy,
        "lines": threshold_lines(policy.thresholds, called),
        "rules": [
            {
                "name": rule.name,
                "title": rule.title or rule.name,
                "effect": rule.effect,
                "group": rule.group or "",
                "scope": called.groups.get(rule.group or "", rule.group),
                "when": gettext("When {when}").format(when=when_sentence(rule.when, called)),
                "condition": rule.when.condition or "",
                "outcome": rule_outcome(rule, called),
                "line": line_key({"rule": rule.name}) if rule.threshold is not None else "",
            }
            for rule in policy.rules
        ],
        "baseline": [
            {"about": baseline_about(line), "outcome": baseline_outcome(line, called)}
            for line in policy.baseline
        ],
        "time_to_decide": time_to_decide(policy.review_hours, policy.calendar, called),
        "delegates": [called.group(slug) for slug in policy.delegates],
    }


@dataclass(frozen=True)
class Entry:
    """One published version in the history."""

    number: int
    at: datetime | None
    who: str
    by: str
    author: str
    why: str
    changes: list[str]
    url: str
    waived: bool
    restores: int | None


def entry(row: PolicyVersion, before: Policy | None, called: Names) -> Entry:
    """One version for people; `before` is the policy that it took the place of."""
    number = row.number or 0
    who = row.published_by.get_full_name() if row.published_by else gettext("The system")
    author = row.author.get_full_name() if row.author else ""
    return Entry(
        number=number,
        at=row.published_at,
        who=who,
        by=who if row.published_by else gettext("the system"),
        author=author if author != who else "",
        why=row.why,
        changes=changes(before, load(row.document), called) if before is not None else [],
        url=reverse("policy-version", kwargs={"number": number}),
        waived=row.second_waived,
        restores=row.restores,
    )


def line_of(policy: Policy, key: str) -> ThresholdLine | None:
    """The line of the table that the key names, where there is one."""
    called = Names(agents=agent_titles())
    lines = [*threshold_lines(policy.thresholds, called), *rule_lines(policy)]
    return next((line for line in lines if line.key == key), None)


def with_line(policy: Policy, key: str, value: Decimal | None) -> Policy:
    """The policy with one threshold set, or taken out."""
    return policy.with_threshold(value, **names_of(key))


def threshold_form(policy: Policy, **given: Any) -> ThresholdForm:
    """The form over what is installed, and what the policy names though it is gone by now."""
    installed: dict[str, set[str]] = {}
    for facts in ports.runs().catalogue():
        installed.setdefault(facts.agent, set()).add(facts.tool)
    called = Names(agents=agent_titles())
    lines = threshold_lines(policy.thresholds)
    agents = sorted({*installed, *(line.agent for line in lines)} - {""})
    tools = sorted({*chain(*installed.values()), *(line.tool for line in lines)} - {""})
    pairs = {(agent, tool) for agent, tools_of in installed.items() for tool in tools_of}
    pairs |= {(line.agent, line.tool) for line in lines if line.level == "agent_tool"}
    groups: list[tuple[str, list[dict[str, str]]]] = [
        (gettext("One tool of one agent"), [{"agent": a, "tool": t} for a, t in sorted(pairs)]),
        (gettext("A tool, whichever agent"), [{"tool": tool} for tool in tools]),
        (gettext("All tools of an agent"), [{"agent": agent} for agent in agents]),
        (gettext("A risk"), [{"risk": risk.value} for risk in reversed(Risk)]),
        (gettext("A rule that allows"), [line.names for line in rule_lines(policy)]),
        (gettext("Anything else"), [{}]),
    ]
    offered = [
        (title, [(line_key(each), line_title(each, called)) for each in counted])
        for title, counted in groups
        if counted
    ]
    return ThresholdForm(lines=offered, **given)


def opened_form(policy: Policy, asked: Mapping[str, str], base: int) -> ThresholdForm | None:
    """The form that an address asks for with `?line=`; None where it asks for none."""
    if "line" not in asked:
        return None
    line = line_of(policy, asked["line"])
    initial: dict[str, Any] = {"base_version": base}
    if line is not None:
        initial |= {"line": line.key, "value": line.text}
    return threshold_form(policy, initial=initial)


def choices() -> dict[str, list[tuple[str, str]]]:
    """What forms of a policy offer: every review group and every calendar, by slug and title."""
    calendars = WorkingCalendar.objects.order_by("title").values_list("slug", "title")
    return {"groups": group_choices(), "calendars": list(calendars)}


def group_choices() -> list[tuple[str, str]]:
    """Every review group by slug and title."""
    return list(ReviewGroup.objects.values_list("slug", "title"))
