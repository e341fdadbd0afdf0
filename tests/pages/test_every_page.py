"""Every page there is, in a real browser: axe finds nothing in either theme, and nothing is wider than a phone."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from playwright.sync_api import BrowserContext, Page, expect

from accounts.callers import Caller
from accounts.invitations import invitation_url
from accounts.models import User
from agents.models import Run
from agents.services.control import cancel_run
from agents.services.set_switch import set_switch
from agents.services.start_run import start_run
from agents.states import SwitchScope
from approvals.models import ApprovalRequest, WorkingCalendar
from audit.filters import EventFilter
from audit.models import Event, SinkCursor, SubjectKey, WitnessState
from audit.record_keeping import ErasureReason, HoldScope
from audit.services.draw_sample import draw_sample
from audit.services.hold import set_hold
from audit.services.redact import propose_erasure
from audit.services.verify_log import ask_verification
from demo.agents import refund_desk
from insights.services.advance import advance
from tests.harness.languages import written
from tests.harness.looks import (
    PHONE,
    VIEWS,
    name_of,
    show,
    troubles_of,
)
from tests.harness.people import person
from tests.harness.stack import Stack
from tests.harness.visible import left_in_english

TESTS = Path(__file__).parents[1]
TEMPLATES = TESTS.parent / "templates"
API = "api:openapi-view"
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
    "person-sessions-end",
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
LOCKED_OUT = "account/locked_out"
#: Pages of the house that stand at no address of their own, by their templates.
ANYWHERE = {path.stem for path in TEMPLATES.glob("[!_]*.html")} - {"base", "styleguide", "api_docs"}
ANYWHERE |= {LOCKED_OUT}

#: How often one address is asked for at most before it is refused.
MOST_ASKED = 30
#: Samples of an engineer in their own words, and what the document for programs says.
ENGLISH_ALONE = {"styleguide", API}


Way = Callable[[Page], None]


@dataclass(frozen=True)
class Look:
    """One address and who looks at it; `name` is its name in the URL configuration, or its template's.

    `way` leads to what is not had by asking for the address alone.
    """

    name: str
    who: User | None
    path: str
    way: Way | None = None


def names(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """The names of all addresses but those of the API and of Django's admin."""
    for pattern in patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLPattern):
            yield str(pattern.name)
        elif route.startswith("api/"):
            yield API
        elif not route.startswith("django-admin/"):
            yield from names(pattern.url_patterns, route)


def looked_at_elsewhere() -> set[str]:
    """What other tests say they look at; `looks_at` holds each of them to it when it runs."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)) if "@looks_at(" in source else ():
            for said in getattr(node, "decorator_list", ()):
                if isinstance(said, ast.Call) and ast.unparse(said.func) == "looks_at":
                    found |= {ast.literal_eval(name) for name in said.args}
    return found


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
        *coming_in(admin),
        Look(API, None, "/api/v1/docs", keep_some_operations),
        Look("403", outsider, "/policies/"),
        Look("404", reviewer, "/requests/00000000-0000-7000-8000-000000000000/"),
        Look("400", None, "/inbox/?agent=%00"),
        Look("403_csrf", None, "/accounts/login/", send_from_an_old_page),
        Look("429", None, "/accounts/password/reset/", ask_too_often),
        Look(LOCKED_OUT, None, "/accounts/login/", guess_passwords),
        Look("500", admin, "/policies/calendars/", see_a_failure),
        Look("health", None, "/health/ready"),
    ]


def coming_in(admin: User) -> list[Look]:
    """What is seen before anybody is signed in, and by those who have no password yet."""
    newcomer = person("newcomer")
    newcomer.set_unusable_password()
    newcomer.save()
    mailed = urlsplit(invitation_url(newcomer)).path
    return [
        Look("account_login", None, "/accounts/login/"),
        Look("account_signup", None, "/accounts/signup/"),
        Look("account_inactive", None, "/accounts/inactive/"),
        Look("account_reset_password", None, "/accounts/password/reset/"),
        Look("account_reset_password_done", None, "/accounts/password/reset/done/"),
        Look("account_reset_password_from_key", None, "/accounts/password/reset/key/1-a-b/"),
        Look("account_reset_password_from_key", None, mailed),
        Look("account_reset_password_from_key_done", None, "/accounts/password/reset/key/done/"),
        Look("account_set_password", newcomer, "/accounts/password/set/"),
        Look("person-invite", admin, f"/people/{newcomer.pk}/", make_a_link),
    ]


def keep_some_operations(page: Page) -> None:
    """One template draws more than a hundred operations, and axe would take as long as for all other pages."""
    show(page, "light", PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE
    page.evaluate(
        "() => document.querySelectorAll('main section[id]:not(:nth-of-type(15n), #problem)')"
        ".forEach((each) => { document.querySelector(`a[href='#${each.id}']`).parentElement.remove(); each.remove(); })"
    )


def make_a_link(page: Page) -> None:
    page.locator("form[action$='/invitation/'] button").click()


def send_from_an_old_page(page: Page) -> None:
    with page.expect_navigation():
        page.locator("main [name=login]").evaluate(
            "({ form }) => { form.elements.csrfmiddlewaretoken.remove(); form.submit(); }"
        )


def ask_too_often(page: Page) -> None:
    """Ask for a password again and again, until it is asked too often."""
    for _ in range(MOST_ASKED):
        page.locator("main [name=email]").fill("nobody@example.com")
        with page.expect_navigation():
            page.locator("main form button").click()
        if page.locator("main [name=email]").count() == 0 and "/done/" not in page.url:
            return
        page.goto("/accounts/password/reset/")
    pytest.fail("nobody was stopped")


def guess_passwords(page: Page) -> None:
    """Sign in with wrong passwords, until nobody may from here under that name."""
    page.locator("main [name=login]").fill("nobody")
    page.locator("main [name=password]").fill("a guess")
    page.evaluate(
        """async (most) => {
            const body = new FormData(document.querySelector("main form"));
            for (let guessed = 1; guessed < most; guessed += 1)
                await fetch(location.href, { method: "POST", body });
        }""",
        settings.AXES_FAILURE_LIMIT,
    )
    with page.expect_navigation():
        page.locator("main form button").first.click()


def see_a_failure(page: Page) -> None:
    """A calendar that no version of the product would have written."""
    broken = WorkingCalendar.objects.create(slug="broken", title="Broken", document={})
    page.goto("/policies/calendars/broken/")
    broken.delete()


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
    troubles.expect("status of (40[034]|429|500)")
    looked_at = {look.name for look in looks} | looked_at_elsewhere()
    # A page that is added later is added to the list, or said to be none; and what is gone goes from both.
    assert looked_at | NOT_PAGES == set(names(get_resolver().url_patterns)) | ANYWHERE
    assert not looked_at & NOT_PAGES
    pages: dict[User | None, Page] = {}
    found: list[str] = []
    views = VIEWS
    for look in looks:
        if look.who not in pages:
            pages[look.who] = context_for(look.who, site.url).new_page()
        page = pages[look.who]
        english = arrive(page, look)
        assert is_there(page, look), f"{look.name}: this is another page: {page.url}"
        found += troubles_of(page, views)
        # The next page comes as this one was left, and need not be laid out once more for it.
        views = views[::-1]
        if look.name not in ENGLISH_ALONE:
            left = left_in_english(english, in_german(page, look), written())
            found += [f"{look.path} says in German: {text}" for text in left]
    assert not found, "\n".join(found)


def arrive(page: Page, look: Look) -> str:
    """Open the page; its source."""
    answer = page.goto(look.path)
    assert answer is not None
    if look.way is not None:
        look.way(page)
    expect(page.locator("main h1").first).to_be_visible()
    return answer.text() if look.way is None else page.content()


def is_there(page: Page, look: Look) -> bool:
    """The page is the one of that name, and no other that stands at its address."""
    if look.name not in ANYWHERE:
        return name_of(page) == look.name
    said = page.locator("main h1").inner_text()
    return f'"{said}"' in (TEMPLATES / f"{look.name}.html").read_text()


def in_german(page: Page, look: Look) -> str:
    """The page's source for somebody who reads German."""
    people = User.objects.filter(pk=look.who.pk if look.who else None)
    people.update(language="de")
    if look.way is None:
        source = page.request.get(look.path, headers={"Accept-Language": "de"}).text()
    else:
        page.set_extra_http_headers({"Accept-Language": "de"})
        source = arrive(page, look)
        page.set_extra_http_headers({})
    people.update(language="")
    return source
