"""The auditor's job, as people do it: one refund is found and read, and the month is checked without trusting us."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import User
from agents.models import Run
from agents.registry import get
from audit.clock import database_now
from audit.models import Checkpoint, Event, LogKey
from audit.verifier import verify
from tests.harness.client import ApiClient
from tests.harness.looks import DESK, PHONE, View, looks_at, troubles_of
from tests.harness.people import PASSWORD
from tests.harness.stack import Stack

CHALLENGE = "seven herons"


@pytest.fixture
def refunded(site: Stack, operator: User, reviewer: User) -> Run:
    """A refund above the limit that the reviewer approved, and that was made; all of it is sealed."""
    desk, person = ApiClient(site, operator), ApiClient(site, reviewer)
    run = desk.start("refund-desk", get("refund-desk").examples[0].input)
    site.wait_for(person.pending, what="the request is there")
    assert person.decide(person.pending()[0], "approve")[0] == 200
    made = Run.objects.filter(pk=run, state="succeeded")
    site.wait_for(made.exists, what="the run has succeeded")
    site.wait_for(lambda: sealed(Event.objects.count()), what="all of it is sealed")
    return made.get()


def sealed(events: int) -> bool:
    newest = Checkpoint.objects.newest()
    return newest is not None and newest.size >= events


def sign_in(page: Page, user: User) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill(user.username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("link", name="Audit", exact=True).first).to_be_visible()


def find_the_refund(page: Page) -> None:
    """Search for what was executed with the refund tool, and open what is found."""
    page.goto("/audit/")
    page.get_by_label("Tool", exact=True).fill("issue_refund")
    page.get_by_label("What happened").select_option("effect.succeeded")
    page.get_by_role("search").get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("tool=issue_refund"))
    page.locator(".audit-table .row-link").click()
    expect(page.get_by_role("heading", name="“Issue refund” was executed.")).to_be_visible()


def export_the_month(page: Page) -> Path:
    """Ask for the evidence of this month, wait for it, and download it."""
    now = database_now()
    page.goto("/audit/")
    page.get_by_text("Run, request, time").click()
    page.get_by_label("From", exact=True).fill(f"{now:%Y-%m}-01T00:00")
    page.get_by_role("search").get_by_role("button", name="Search").click()
    page.get_by_text("Evidence options").click()
    page.get_by_label("Challenge", exact=True).fill(CHALLENGE)
    page.get_by_role("button", name="Evidence").click()
    expect(page.locator("#export")).to_contain_text("Ready")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    return Path(downloading.value.path())


def is_sound(page: Page) -> list[str]:
    """The troubles of a page that only a worker's result makes, on a desk and on the narrowest phone."""
    return troubles_of(page, (View("dark", PHONE), View("light", DESK)))


@looks_at("audit-export")
def test_an_auditor_checks_a_month_and_one_refund_in_it_without_trusting_anybody(
    refunded: Run,
    site: Stack,
    context_for: Callable[..., BrowserContext],
    auditor: User,
    tmp_path: Path,
) -> None:
    page = context_for(None, site.url, accept_downloads=True).new_page()
    sign_in(page, auditor)
    find_the_refund(page)
    event = page.url

    page.get_by_role("link", name="the story of this request").first.click()
    story = page.locator(".audit-story")
    for sentence in (
        "“Issue refund” was put before people under policy",
        "Reviewer approved “Issue refund”",
        "“Issue refund” was sent to be executed",
        "“Issue refund” was executed",
    ):
        expect(story).to_contain_text(sentence)
    expect(page.locator("main")).to_contain_text("No event of this story is missing")

    page.goto(event)
    page.get_by_text("Inclusion proof").click()
    shown = page.locator(".audit-path li").all_inner_texts()
    assert all(re.fullmatch("[0-9a-f]{64}", each.strip()) for each in shown)

    page.goto("/audit/log/")
    page.get_by_role("button", name="Verify now").click()
    expect(page.locator("#verification")).to_contain_text("Everything fits")
    assert is_sound(page) == []

    export = tmp_path / "month.zip"
    export.write_bytes(export_the_month(page).read_bytes())
    assert is_sound(page) == []
    alone, state, key = taken_along(export, tmp_path / "elsewhere")
    options = ["--key", key, "--state", state, "--challenge", CHALLENGE]
    code, said = alone(export, *options)
    assert (code, said.startswith("THIS EXPORT HOLDS.")) == (0, True), said
    for sentence in (
        "none is left out",
        f'The export was made after you gave the challenge "{CHALLENGE}"',
        "documents in content/ are the ones that the events speak of",
    ):
        assert sentence in said

    code, said = alone(changed(export), *options)
    assert code == 1
    assert "The file events.jsonl was changed or damaged" in said

    code, said = alone(export, "--key", key, "--state", state)
    assert (code, "Nothing that the log held when you checked last" in said) == (0, True)


def taken_along(export: Path, elsewhere: Path) -> tuple[Callable[..., tuple[int, str]], str, str]:
    """The verifier in a folder of its own and an empty environment; a state file; the log's key."""
    elsewhere.mkdir()
    with zipfile.ZipFile(export) as opened:
        opened.extract("verify.py", elsewhere)
    # The one from the project and not from the export: they are the same file.
    source = Path(verify.__file__).read_bytes()
    assert (elsewhere / "verify.py").read_bytes() == source

    def run(path: Path, *options: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "verify.py", path, *options],
            cwd=elsewhere,
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    return run, str(elsewhere / "state.json"), LogKey.objects.get().verifier


def changed(export: Path) -> Path:
    """The export with one byte of its evidence changed: somebody else approved."""
    data = bytearray(export.read_bytes())
    decided = data.index(b'"type":"request.decided"')
    at = data.rindex(b'"actor":{"auth":', 0, decided) + len(b'"actor":{"auth":"')
    data[at] ^= 1
    other = export.with_name("changed.zip")
    other.write_bytes(data)
    return other
