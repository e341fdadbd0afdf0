"""The way to the identity provider and back, in a browser: with two hosts, cookies and the content security policy."""

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import ReviewGroup, User
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import Requirements
from approvals.vocabulary import Friction
from tests.approvals.conftest import Opener
from tests.harness.identity_provider import IdentityProvider
from tests.harness.looks import looks_at, troubles_of
from tests.harness.stack import Stack
from tests.pages.live_desk import title, verdict

SUBJECT = "248289761001"
HOURS = 7_200


@looks_at("oidc-confirm")
def test_a_newcomer_signs_in_confirms_and_signs_out(
    stack: Callable[..., Stack],
    context_for: Callable[..., BrowserContext],
    identity_provider: IdentityProvider,
    finance: ReviewGroup,
    admin: User,
    troubles: Any,
) -> None:
    # The provider's own pages want a style sheet of the world's; two refusals are the point.
    troubles.expect("cdn.jsdelivr.net")
    troubles.expect("status of 403")
    identity_provider.knows(
        SUBJECT,
        email="newcomer@example.com",
        email_verified=True,
        preferred_username="newcomer",
        name="A Newcomer",
        groups=["leads"],
    )
    site = stack(
        **identity_provider.settings(
            oidc_groups="leads,heads",
            oidc_roles='{"leads": ["reviewer"]}',
            oidc_review_groups='{"leads": "finance"}',
            oidc_second_factor="mfa",
            oidc_sign_out="1",
            passwords="0",
            break_glass="admin",
        )
    )
    site.run("web")
    site.wait_for(lambda: "web" not in site.missing(), what="the pages answer")
    page = context_for(None, site.url).new_page()
    page.goto("/settings/")
    expect(page.get_by_text("Emergency account")).to_be_visible()
    assert troubles_of(page) == []
    page.get_by_role("button", name="Sign in with Example Login").click()
    _as(page, identity_provider, SUBJECT)
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Reviewer")
    expect(page.locator("main")).to_contain_text("Finance")
    # Adding a factor asks for more than the open session: the provider is asked.
    page.goto("/settings/second-factor/app/")
    assert troubles_of(page) == []
    page.get_by_role("button", name="Confirm at Example Login").click()
    _as(page, identity_provider, "somebody-else")
    expect(page.get_by_role("heading", name="Not confirmed")).to_be_visible()
    assert troubles_of(page) == []
    page.goto("/settings/second-factor/app/")
    page.get_by_role("button", name="Confirm at Example Login").click()
    _as(page, identity_provider, SUBJECT)
    expect(page.get_by_text("did not ask for a second factor")).to_be_visible()
    expect(page.get_by_label("Code that the app shows now")).to_be_visible()
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{identity_provider.url}/oauth2/end_session**")
    page.goto(f"{site.url}/settings/")
    expect(page.get_by_role("button", name="Sign in with Example Login")).to_be_visible()
    # Nor does a stranger get in.
    page.get_by_role("button", name="Sign in with Example Login").click()
    _as(page, identity_provider, "a-stranger")
    expect(page.get_by_role("heading", name="Not signed in")).to_be_visible()
    assert troubles_of(page) == []


def test_what_the_provider_asks_for_anew_lets_a_guarded_request_be_approved_and_nothing_older_does(
    stack: Callable[..., Stack],
    context_for: Callable[..., BrowserContext],
    identity_provider: IdentityProvider,
    opened: Opener,
    troubles: Any,
) -> None:
    troubles.expect("cdn.jsdelivr.net")
    troubles.expect("status of 403")
    names = {"preferred_username": "newcomer", "name": "A Newcomer", "groups": ["staff"]}
    identity_provider.knows(SUBJECT, email="newcomer@example.com", email_verified=True, **names)
    site = stack(
        seeded=False,
        **identity_provider.settings(
            oidc_groups="staff",
            oidc_roles='{"staff": ["reviewer"]}',
            oidc_review_groups='{"staff": "support"}',
            oidc_second_factor="mfa",
        ),
    ).run("web")
    site.wait_for(lambda: "web" not in site.missing(), 60, "the web process answers")
    request = opened(needs=Requirements(friction=Friction.SECOND_FACTOR))
    page = context_for(None, site.url).new_page()

    def press_approve() -> None:
        page.goto(f"/requests/{request.pk}/?tab=team")
        expect(page.locator("#live-pill")).to_have_text("Live")
        expect(page.locator("#second-factor-note")).to_contain_text("asks for your second factor")
        verdict(page).click()
        page.get_by_role("button", name="Confirm at Example Login").click()
        _as(page, identity_provider, SUBJECT)

    def is_untouched() -> bool:
        state = ApprovalRequest.objects.values_list("state", flat=True).get(pk=request.pk)
        return state == "pending" and not Vote.objects.exists()

    # Two factors were asked for there, hours ago: enough to come in, not to decide.
    long_ago = int(time.time()) - HOURS
    identity_provider.lies(claims={"amr": ["pwd", "mfa"], "auth_time": long_ago})
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with Example Login").click()
    _as(page, identity_provider, SUBJECT)
    expect(page.locator("#live-pill")).to_have_text("Live")
    press_approve()
    expect(page.get_by_role("heading", name="Not confirmed")).to_be_visible()
    assert is_untouched()
    # Anew, but with a password alone.
    identity_provider.lies(claims={"amr": ["pwd"], "acr": "1"})
    press_approve()
    expect(title(page)).to_have_text("Refund €20.00 to Acme GmbH")
    expect(page.get_by_text("did not ask for a second factor")).to_be_visible()
    expect(page.locator("#second-factor-note")).to_contain_text("asks for your second factor")
    assert is_untouched()
    # Anew and with both.
    identity_provider.lies(claims={"acr": "mfa"})
    press_approve()
    expect(page.locator("#second-factor-note")).to_contain_text("Confirmed with")
    verdict(page).click()
    site.wait_for(Vote.objects.exists, what="the verdict was taken")
    request.refresh_from_db()
    assert request.state == "approved"
    assert Vote.objects.get(request=request).second_factor == "identity_provider"


def _as(page: Page, provider: IdentityProvider, subject: str) -> None:
    """Sign in at the provider's own page, to which the browser has gone on by itself."""
    page.wait_for_url(f"{provider.url}/oauth2/authorize**")
    page.locator("input[name=sub]").fill(subject)
    page.get_by_role("button", name="Authorize").click()
