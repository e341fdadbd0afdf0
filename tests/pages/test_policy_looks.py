"""The pages on which policies are written, in both themes and as narrow as a phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, expect

from accounts.callers import Caller
from accounts.models import User
from approvals.models import PolicyVersion, StickyApproval
from approvals.services import policies
from approvals.services.drafts import begin_draft
from approvals.services.simulate import ask_simulation
from audit.clock import database_now
from tests.harness.looks import looks_at, troubles_of
from tests.harness.people import person
from tests.harness.stack import Stack
from tests.pages.test_every_page import started


@pytest.fixture
def draft(site: Stack, operator: User, admin: User) -> PolicyVersion:
    """A draft that loosens and tightens, with a simulation over a real run."""
    current = policies.current()
    rule = {
        "name": "very-large",
        "title": "Refunds over €1,000: two of Finance",
        "effect": "review",
        "when": {
            "agents": ["refund-desk"],
            "tools": ["issue_refund"],
            "condition": "args.amount > 1000",
            "time_window": {"days": [5, 6], "start": "00:00", "until": "23:59"},
        },
        "requirements": {
            "groups": [{"group": "finance", "count": 2}],
            "friction": "typed",
            "on_expiry": "escalate",
            "escalation": ["support"],
        },
    }
    document = current.policy.document()
    document["rules"] = [*document["rules"], rule]
    document["rules"][0]["threshold"] = "0.60"
    return begin_draft(
        document=document,
        base_version=current.version,
        caller=Caller.of_session(admin),
        why="Large refunds went wrong at the weekend.",
    )


@pytest.fixture
def paths(site: Stack, draft: PolicyVersion, operator: User, admin: User) -> list[str]:
    """Every page about the draft, and those of sticky approvals, which the admin may grant."""
    person(admin.username, "admin", "sticky-approver")
    request = started(site, operator)
    until = database_now() + timedelta(seconds=1)
    simulation = ask_simulation(
        draft_id=draft.pk,
        since=until - timedelta(days=1),
        until=until,
        line="rule=small-refunds",
        caller=Caller.of_session(admin),
    )
    StickyApproval.objects.create(
        request=request,
        agent="refund-desk",
        agent_title="Refund desk",
        tool="issue_refund",
        constraints={
            "order": {"how": "same", "value": "ORD-10001"},
            "amount": {"how": "at_most", "value": "420.00"},
            "reason": {"how": "any", "value": None},
        },
        why="The whole batch is broken.",
        granted_by=admin,
        expires_at=until + timedelta(days=1),
    )
    own: dict[str, Any] = {"pk": draft.pk}
    return [
        reverse("policy-thresholds"),
        reverse("policy-version", kwargs={"number": 1}),
        reverse("policy-draft", kwargs=own),
        f"{reverse('policy-draft', kwargs=own)}?line=risk%3Dhigh",
        reverse("policy-scores", kwargs=own),
        reverse("policy-rule-new", kwargs=own),
        reverse("policy-rule", kwargs={**own, "name": "very-large"}),
        reverse("policy-baseline-new", kwargs=own),
        reverse("policy-baseline", kwargs={**own, "place": 3}),
        f"{reverse('policy-try', kwargs=own)}?request={request.pk}",
        reverse("policy-simulation", kwargs={"pk": simulation.pk}),
        reverse("policy-import"),
        reverse("sticky-list"),
        reverse("request-sticky", kwargs={"request_pk": request.pk}),
    ]


@pytest.mark.timeout(400)
@looks_at(
    "policy-thresholds",
    "policy-version",
    "policy-draft",
    "policy-scores",
    "policy-rule-new",
    "policy-rule",
    "policy-baseline-new",
    "policy-baseline",
    "policy-try",
    "policy-simulation",
    "policy-import",
    "sticky-list",
    "request-sticky",
)
def test_axe_finds_nothing_and_nothing_sticks_out(
    site: Stack,
    paths: list[str],
    admin: User,
    context_for: Callable[..., BrowserContext],
) -> None:
    page = context_for(admin, site.url).new_page()
    found: list[str] = []
    for path in paths:
        page.goto(path)
        expect(page.locator("main h1")).to_be_visible()
        found += troubles_of(page)
    # One action is tried, so that verdicts and the table of rules are looked at too.
    page.goto(next(path for path in paths if "/try/" in path))
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("heading", name="By this draft")).to_be_visible()
    found += troubles_of(page)
    assert not found, "\n".join(found)
