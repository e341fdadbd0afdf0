"""Every page there is, in a real browser: axe finds nothing in either theme, and nothing is wider than a phone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from playwright.sync_api import BrowserContext, Page, expect

from accounts.callers import Caller
from accounts.models import User
from agents.kill_switches import KillSwitch
from agents.models import AgentVersion, Run
from agents.services.control import cancel_run
from agents.services.set_switch import set_switch
from agents.services.start_run import start_run
from agents.states import SwitchScope
from approvals.layouts import lay_out
from approvals.models import ApprovalRequest, PolicyVersion, ReasonChip, WorkingCalendar
from audit.filters import EventFilter
from audit.models import Event, SinkCursor, SubjectKey, WitnessState
from audit.record_keeping import ErasureReason, HoldScope
from audit.services.draw_sample import draw_sample
from audit.services.hold import set_hold
from audit.services.redact import propose_erasure
from audit.services.verify_log import ask_verification
from audit.verification import Verification
from demo.agents import refund_desk
from insights.services.advance import advance
from tests.harness.looks import troubles_of
from tests.harness.people import person
from tests.harness.stack import Stack
from tests.harness.visible import left_in_english

NOT_PAGES = {
    "metrics",
    "theme",
    "language",
    "practice-completions",
    "practice-models",
    # The inbox again, under its short address.
    "home",
    # Fragments and data that pages fetch.
    "inbox-rows",
    # Drawn in a frame of a request's page: tests/approvals/test_previews.py.
    "request-message",
    "inbox-counts",
    # What the palette finds: tests/pages/test_palette.py.
    "find",
    "request-presence",
    "run-steps",
    "run-window",
    "audit-export-download",
    "kill-switch-banner",
    # What forms post to; a refusal comes back as the page that posted.
    "effect-undo",
    "memory-delete",
    "evaluation-case-delete",
    "evaluation-suite-export",
    "token-create",
    "token-revoke",
    "session-end",
    "sessions-end",
    "absence-end",
    "calendar-delete",
    "second-factor-codes-download",
    "mfa_login_webauthn",
    # On the way to the identity provider and back: tests/pages/test_identity_provider.py.
    *("oidc-sign-in", "oidc-callback"),
    "audit-export-ask",
    "audit-verify",
    "audit-sample-download",
    "insights-csv",
    "audit-hold-lift",
    *(f"request-{what}" for what in ("decide", "undo", "claim", "extend", "snooze", "comment")),
    *("saved-view-change", "reason-chip-move", "reason-chip-retire", "sticky-revoke"),
    *("policy-roll-back", "policy-simulate", "policy-export", "policy-draft-export"),
    *(f"policy-draft-{what}" for what in ("begin", "submit", "publish", "rebase", "withdraw")),
    "policy-draft-durations",
    *(f"run-{what}" for what in ("start", "cancel", "pause", "resume")),
    *(f"run-{what}" for what in ("message", "goal", "take-over")),
    *(f"agent-{what}" for what in ("disable", "enable", "activate")),
}
ELSEWHERE = {
    # tests/pages/test_batch_browser.py
    "inbox-batch",
    # tests/pages/test_policy_looks.py
    *("policy-thresholds", "policy-version", "policy-import", "sticky-list", "request-sticky"),
    *(f"policy-{what}" for what in ("draft", "rule", "rule-new", "baseline", "baseline-new")),
    *("policy-try", "policy-simulation", "policy-scores"),
    # tests/pages/test_runs_browser.py
    *("run-list", "run-detail", "run-step", "run-compare", "agent-list", "agent-detail"),
    "agent-version",
    # tests/evaluations/test_pages.py
    *("evaluation-list", "evaluation-detail", "evaluation-cases", "evaluation-case"),
    "run-evaluation-case",
    # Reached through a mail, or on the way to another page.
    *("account_inactive", "account_set_password", "person-invite"),
    *("account_reset_password_from_key", "account_reset_password_from_key_done"),
    # tests/pages/test_identity_provider.py
    "oidc-confirm",
    # Second factors: tests/pages/test_second_factor.py.
    *("mfa_authenticate", "password-confirm", "person-factors-reset", "second-factor"),
    *(f"second-factor-{what}" for what in ("app-add", "passkey-add", "passkey-edit")),
    *(f"second-factor-{what}" for what in ("remove", "codes", "confirm")),
    # An export is ready only after a worker made it: tests/audit/test_views.py.
    "audit-export",
}


#: Samples of an engineer, in their own words.
ENGLISH_ALONE = {"styleguide"}


@dataclass(frozen=True)
class Look:
    """One address and who looks at it; `name` is its name in the URL configuration."""

    name: str
    who: User | None
    path: str


def names(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """The names of all addresses but those of the API and of Django's admin."""
    for pattern in patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLPattern):
            yield str(pattern.name)
        elif not route.startswith(("api/", "django-admin/")):
            yield from names(pattern.url_patterns, route)


@pytest.fixture
def looks(
    site: Stack,
    operator: User,
    reviewer: User,
    admin: User,
    auditor: User,
    outsider: User,
) -> list[Look]:
    """Every page that no other test looks at, and a request with the evidence of a real run."""
    request = started(site, operator)
    ended = failed(site, operator)
    off = set_switch(scope=SwitchScope.GLOBAL, reason="Incident.", caller=Caller.of_session(admin))
    event = Event.objects.filter(request=request.pk).order_by("inserted_at").first()
    assert event is not None
    return [
        Look("inbox", outsider, "/inbox/"),
        Look("inbox", reviewer, "/inbox/?filters=open&risk=high&due=day&agent=refund-desk"),
        Look("inbox", reviewer, "/inbox/?risk=high&claimed=free"),
        Look("saved-views", reviewer, "/inbox/views/"),
        Look("request-detail", reviewer, reverse("request-detail", kwargs={"pk": request.pk})),
        Look("request-detail", operator, reverse("request-detail", kwargs={"pk": request.pk})),
        Look("run-fork", operator, f"/runs/{request.run_id}/fork/"),
        Look("run-replay", operator, f"/runs/{request.run_id}/replay/"),
        Look("insights", admin, "/insights/"),
        Look("insights", operator, "/insights/?agent=refund-desk"),
        Look("agent-alerts", admin, "/insights/alerts/refund-desk/"),
        Look("run-failure", operator, f"/runs/{ended.pk}/failure/"),
        Look("request-list", admin, "/requests/"),
        Look("request-list", reviewer, "/requests/?agent=refund-desk"),
        Look("memory-list", admin, "/agents/refund-desk/memory/"),
        Look("people", admin, "/people/"),
        Look("person-detail", admin, f"/people/{reviewer.pk}/"),
        Look("person-add", admin, "/people/add/"),
        Look("group-add", admin, "/people/groups/add/"),
        Look("reason-chips", admin, "/policies/reasons/"),
        Look("reason-chips", reviewer, "/policies/reasons/"),
        Look("reason-chip", admin, "/policies/reasons/wrong_amount/"),
        Look("person-absence", admin, f"/people/{reviewer.pk}/absence/"),
        Look("own-absence", reviewer, "/settings/absence/"),
        Look("calendar-list", reviewer, "/policies/calendars/"),
        Look("calendar-add", admin, "/policies/add-calendar/"),
        Look("calendar-detail", admin, "/policies/calendars/working-week/"),
        Look("calendar-detail", reviewer, "/policies/calendars/working-week/"),
        Look("settings", reviewer, "/settings/"),
        Look("own-keys", reviewer, "/settings/keys/"),
        Look("styleguide", reviewer, "/styleguide/"),
        Look("account_change_password", reviewer, "/accounts/password/change/"),
        Look("account_logout", reviewer, "/accounts/logout/"),
        Look("kill-switches", admin, "/kill-switches/"),
        Look("price-list", admin, "/prices/"),
        Look("kill-switch-set", admin, "/kill-switches/set/"),
        Look("kill-switch-lift", admin, f"/kill-switches/{off.pk}/lift/"),
        Look("agent-limits", admin, "/agents/refund-desk/limits/"),
        Look("audit-list", auditor, "/audit/"),
        Look("audit-run-story", auditor, f"/audit/runs/{event.run}/"),
        Look("audit-request-story", auditor, f"/audit/requests/{request.pk}/"),
        Look("audit-event", auditor, f"/audit/events/{event.pk}/"),
        Look("audit-export-list", auditor, "/audit/exports/"),
        *auditing(auditor),
        Look("account_login", None, "/accounts/login/"),
        Look("account_signup", None, "/accounts/signup/"),
        Look("account_reset_password", None, "/accounts/password/reset/"),
        Look("account_reset_password_done", None, "/accounts/password/reset/done/"),
        Look("403", outsider, "/policies/"),
        Look("404", reviewer, "/requests/00000000-0000-7000-8000-000000000000/"),
    ]


def auditing(auditor: User) -> list[Look]:
    """What auditors work with, with something on every page."""
    one, other = (
        Caller.of_session(person(name, "records-keeper")) for name in ("keeper", "second-keeper")
    )
    sample = draw_sample(
        chosen=EventFilter(), seed="2026-Q1", size=5, caller=Caller.of_session(auditor)
    )
    subject = str(SubjectKey.objects.values_list("subject", flat=True)[0])
    erasure = propose_erasure(subject=subject, reason=ErasureReason.ASKED, caller=one)
    set_hold(
        matter="Case 17", why="A suit.", scope=HoldScope.PERSON, target=one.actor.id, caller=one
    )
    check = ask_verification(caller=Caller.of_session(auditor))
    SinkCursor.objects.create(name="siem", next=0, until=0, declared_at=check.created_at)
    WitnessState.objects.create(name="first", key="witness.example/w1+00000000+AA==")
    return [
        Look("audit-log", auditor, "/audit/log/"),
        Look("audit-verification", auditor, f"/audit/log/checks/{check.pk}/"),
        Look("audit-exceptions", auditor, "/audit/exceptions/"),
        Look("audit-sample-list", auditor, "/audit/samples/"),
        Look("audit-sample", auditor, f"/audit/samples/{sample.pk}/"),
        Look("audit-access", auditor, "/audit/access/"),
        Look("audit-hold-list", one.user, "/audit/holds/"),
        Look("audit-retention", auditor, "/audit/retention/"),
        Look("audit-hold-list", auditor, "/audit/holds/"),
        Look("audit-erasure-list", one.user, "/audit/erasures/"),
        Look("audit-erasure", one.user, f"/audit/erasures/{erasure.pk}/"),
        Look("audit-erasure", other.user, f"/audit/erasures/{erasure.pk}/"),
    ]


def started(site: Stack, operator: User) -> ApprovalRequest:
    """What a run on the demo's first example asks for."""
    text = refund_desk.examples[0].input
    run, _ = start_run(agent="refund-desk", input=text, caller=Caller.of_session(operator))
    site.wait_for(
        lambda: Run.objects.filter(pk=run.pk, state="waiting").exists(), what="the run is waiting"
    )
    return ApprovalRequest.objects.get(run_id=run.pk)


def failed(site: Stack, operator: User) -> Run:
    """A run that came to nothing, and is counted among those."""
    caller = Caller.of_session(operator)
    run, _ = start_run(agent="refund-desk", input=refund_desk.examples[1].input, caller=caller)
    cancel_run(run_id=run.pk, reason="Asked twice.", caller=caller)
    site.wait_for(lambda: Run.objects.get(pk=run.pk).ended, what="the run has ended")
    advance()
    return run


def test_axe_finds_nothing_on_any_page_and_nothing_sticks_out(
    site: Stack,
    looks: list[Look],
    context_for: Callable[..., BrowserContext],
    troubles: Any,
) -> None:
    troubles.expect("status of 40[34]")
    known = {look.name for look in looks} | NOT_PAGES | ELSEWHERE
    # A page that is added later is added to the list, or said to be none.
    assert set(names(get_resolver().url_patterns)) - known == set()
    pages: dict[User | None, Page] = {}
    found: list[str] = []
    for look in looks:
        if look.who not in pages:
            pages[look.who] = context_for(look.who, site.url).new_page()
        page = pages[look.who]
        page.goto(look.path)
        expect(page.locator("main")).to_be_visible()
        found += troubles_of(page)
        if look.name not in ENGLISH_ALONE:
            english, german = in_two_languages(page, look)
            left = left_in_english(english, german, written())
            found += [f"{look.path} says in German: {text}" for text in left]
    assert not found, "\n".join(found)


def in_two_languages(page: Page, look: Look) -> tuple[str, str]:
    """The page's source in English and in German."""
    sources = []
    for code in ("en-gb", "de"):
        if look.who is not None:
            User.objects.filter(pk=look.who.pk).update(language=code)
        sources.append(page.request.get(look.path, headers={"Accept-Language": code}).text())
    if look.who is not None:
        User.objects.filter(pk=look.who.pk).update(language="")
    return sources[0], sources[1]


def written() -> str:
    """What people, agents and tools wrote, and pages show as it stands."""
    rows: list[Any] = [
        *ApprovalRequest.objects.values("title", "preview", "arguments", "evidence", "rationale"),
        *Run.objects.values("title", "input"),
        *AgentVersion.objects.values("definition"),
        *PolicyVersion.objects.values("document"),
        *ReasonChip.objects.values("label"),
        *WorkingCalendar.objects.values("document"),
        *KillSwitch.objects.values("reason"),
        *Verification.objects.values("summary"),
        *(
            " ".join(str(fact["value"]).split())
            for evidence in ApprovalRequest.objects.values_list("evidence", flat=True)
            for entry in evidence
            for fact in lay_out(entry.get("result")).facts
        ),
    ]
    return json.dumps(rows, default=str, ensure_ascii=False)
