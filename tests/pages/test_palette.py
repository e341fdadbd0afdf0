"""The palette: where to go, what to do, what to find; it opens no door that was shut."""

from __future__ import annotations

import re

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import expect

from accounts.models import User
from countersign.finding import MOST_OF_A_KIND
from tests.agents.conftest import Counter
from tests.approvals.conftest import Opener
from tests.model_server import call, calls, final
from tests.pages.live_desk import Desk, posts, title
from tests.pages.run_fixtures import PAY

OPTION = re.compile(r'data-url="([^"]+)"><span class="option-title">(.*?)</span>')


def found(user: User, words: str) -> dict[str, str]:
    """What the person finds: addresses by title."""
    client = Client()
    client.force_login(user)
    answer = client.get("/find/", {"q": words})
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return {name: url for url, name in OPTION.findall(answer.content.decode())}


def test_requests_are_found_by_words_and_by_id_by_those_who_see_them(
    opened: Opener, reviewer: User, outsider: User
) -> None:
    request, other = opened(amount="20.00"), opened(amount="35.00")
    url = f"/requests/{request.pk}/"
    assert found(reviewer, "acme 20.00") == {"Refund €20.00 to Acme GmbH": url}
    assert list(found(reviewer, str(other.pk)).values()) == [f"/requests/{other.pk}/"]
    assert len(found(reviewer, "acme")) == 2
    for words in ("acme", str(request.pk)):
        assert found(outsider, words) == {}
    assert found(reviewer, "a") == {}
    assert found(reviewer, "acme gmbh of nowhere") == {}


def test_what_a_title_may_tell_is_found_by_nobody_who_may_not_read_it(
    opened: Opener, reviewer: User
) -> None:
    request = opened(amount="20.00")
    type(request).objects.filter(pk=request.pk).update(sensitive=["amount"])
    assert found(reviewer, "20.00") == {}
    assert "20.00" not in "".join(found(reviewer, "till"))


def test_runs_and_agents_are_found_by_those_who_see_them(
    counter: Counter, operator: User, outsider: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="Paid.")], "Please pay the rent.")
    assert found(operator, "the rent") == {run.title: f"/runs/{run.pk}/"}
    assert found(operator, str(run.pk)) == {run.title: f"/runs/{run.pk}/"}
    assert found(operator, "teller")["Teller"] == "/agents/teller/"
    for words in ("the rent", "teller", str(run.pk)):
        assert found(outsider, words) == {}


def test_a_search_ends_and_asks_no_more_where_there_is_more_to_find(
    opened: Opener, reviewer: User
) -> None:
    asked: list[int] = []
    found(reviewer, "till")
    for number in (2, MOST_OF_A_KIND):
        for _ in range(number):
            opened()
        with CaptureQueriesContext(connection) as queries:
            hits = found(reviewer, "till")
        asked.append(len(queries))
    assert len(set(hits.values())) <= MOST_OF_A_KIND
    assert asked[1] <= asked[0]


def test_the_palette_goes_presses_and_finds_by_keys_and_hands_the_focus_back(
    desk: Desk, reviewer: User
) -> None:
    request = desk.request(amount="20.00")
    desk.request(amount="35.00")
    page = desk.open(reviewer, request)
    sent = posts(page)
    palette, field = page.locator("#palette"), page.get_by_role("combobox", name="Where to go")
    title(page).focus()
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    marked = palette.locator("[aria-selected=true]")
    expect(marked).to_have_count(1)
    expect(palette.get_by_role("group", name="Go to")).to_contain_text("Policies")
    # Only where the rail leads this person.
    expect(palette.get_by_role("group", name="Go to")).not_to_contain_text("People")
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()
    expect(title(page)).to_be_focused()
    # A verdict is led to and not pressed.
    page.keyboard.press("Control+k")
    field.press_sequentially("appro")
    expect(marked).to_have_text("Approve")
    page.keyboard.press("Enter")
    expect(page.locator("#decide-form button[value=approve]")).to_be_focused()
    assert sent == []
    # Anything else is pressed where it stands.
    page.keyboard.press("Control+k")
    field.press_sequentially("claim")
    page.keyboard.press("Enter")
    expect(page.locator(".claim-form")).to_contain_text("Let go")
    # What the server finds comes last; nothing that only looks like a match is opened before.
    page.keyboard.press("Control+k")
    field.press_sequentially("35.00 acme")
    expect(marked).to_contain_text("Refund €35.00 to Acme GmbH")
    expect(field).to_have_attribute("aria-activedescendant", "found-1")
    page.keyboard.press("ArrowDown")
    expect(marked).to_have_count(1)
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Refund €35.00 to Acme GmbH")
    # What was seen last stands first.
    page.keyboard.press("Control+k")
    recent = palette.get_by_role("group", name="Recent")
    expect(recent).to_contain_text("Refund €20.00 to Acme GmbH")
    field.press_sequentially("nothing like that")
    expect(page.locator("#palette-note")).to_have_text("Nothing fits.")
    expect(field).not_to_have_attribute("aria-activedescendant", re.compile("."))
    page.keyboard.press("Enter")
    expect(field).to_be_focused()


def test_the_palette_opens_by_a_button_on_a_phone_and_is_not_there_without_a_script(
    desk: Desk, reviewer: User
) -> None:
    page = desk.page(reviewer, viewport={"width": 390, "height": 800}, has_touch=True)
    page.get_by_role("button", name="Search").tap()
    field = page.get_by_role("combobox", name="Where to go")
    expect(field).to_be_focused()
    field.fill("runs")
    page.get_by_role("option", name="Runs").tap()
    expect(page).to_have_url(re.compile("/runs/$"))
    bare = desk.context_for(reviewer, desk.site.url, java_script_enabled=False).new_page()
    bare.goto("/inbox/")
    expect(bare.get_by_role("button", name="Search")).to_have_count(0)
    expect(bare.get_by_role("button", name="Keys of this page")).to_have_count(0)
    expect(bare.locator(".nav-runs a")).to_be_visible()


def test_the_id_of_a_trace_finds_its_run_everywhere(
    counter: Counter, operator: User, auditor: User, outsider: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="Paid.")], "Please pay the rent.")
    counter.start([final(summary="Nothing.")], "Please pay nothing.")
    trace, page = run.pk.hex, f"/runs/{run.pk}/"
    assert list(found(operator, trace).values()) == [page]
    assert found(outsider, trace) == {}
    client = Client()
    client.force_login(operator)
    for asked in (trace, f" {run.pk} "):
        rows = client.get("/runs/", {"q": asked}).content.decode()
        assert page in rows
        assert "Please pay nothing." not in rows
    shown = client.get(page).content.decode()
    assert f'data-copy="{trace}"' in shown
    client.force_login(auditor)
    events = client.get("/audit/", {"run": trace}).content.decode()
    assert events.count("/audit/events/") >= 3
    assert "Please pay nothing." not in events
