"""What stands around every page: who is led where, the theme, and the files that came from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from approvals.services.policies import current

VENDOR = Path(settings.BASE_DIR) / "static" / "vendor"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def places(user: User) -> list[str]:
    """The labels of the rail as this person sees it."""
    page = signed_in(user).get("/inbox/").content.decode()
    return re.findall(r'<span class="label">([^<]+)</span>', page)


@pytest.mark.parametrize(
    ("who", "led_to"),
    [
        ("outsider", ["Inbox", "Runs", "Agents", "Settings"]),
        ("operator", ["Inbox", "Runs", "Agents", "Insights", "Settings"]),
        ("reviewer", ["Inbox", "Runs", "Agents", "Policies", "Settings"]),
        ("auditor", ["Inbox", "Runs", "Agents", "Policies", "Audit", "Insights", "Settings"]),
        (
            "admin",
            [
                "Inbox",
                "Runs",
                "Agents",
                "Policies",
                "Kill switches",
                "Insights",
                "People",
                "Settings",
            ],
        ),
    ],
)
def test_each_role_is_led_to_its_own_pages(
    request: pytest.FixtureRequest, who: str, led_to: list[str]
) -> None:
    assert places(request.getfixturevalue(who)) == led_to


@pytest.mark.parametrize("who", ["outsider", "operator", "reviewer", "auditor", "admin"])
def test_nobody_is_led_to_a_page_that_refuses_them(
    request: pytest.FixtureRequest, who: str
) -> None:
    client = signed_in(request.getfixturevalue(who))
    current()
    page = client.get("/inbox/").content.decode()
    for url in re.findall(r'class="nav-item" href="([^"]+)"', page):
        assert client.get(url).status_code == 200, url


def test_the_place_where_one_is_is_marked(reviewer: User) -> None:
    page = signed_in(reviewer).get("/runs/").content.decode()
    assert re.findall(r'href="([^"]+)" aria-current', page) == ["/runs/"]


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_a_chosen_theme_is_there_with_the_first_byte_of_the_next_page(
    reviewer: User, theme: str
) -> None:
    client = signed_in(reviewer)
    answer = client.post("/theme", {"theme": theme, "next": "/runs/"})
    assert (answer.status_code, answer["Location"]) == (302, "/runs/")
    assert f'data-theme="{theme}"' in client.get("/runs/").content.decode()


def test_a_theme_that_does_not_exist_is_refused_and_never_shown(reviewer: User) -> None:
    client = signed_in(reviewer)
    assert client.post("/theme", {"theme": "red"}).status_code == 400
    client.cookies["theme"] = '"><script>'
    assert 'data-theme="auto"' in client.get("/runs/").content.decode()


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:x"])
def test_choosing_a_theme_leads_nowhere_else(reviewer: User, elsewhere: str) -> None:
    answer = signed_in(reviewer).post("/theme", {"theme": "dark", "next": elsewhere})
    assert answer["Location"] == "/"


def test_vendored_files_are_those_that_were_recorded_and_no_others() -> None:
    record = json.loads((VENDOR / "VENDORED.json").read_text())
    recorded = {}
    for package in record["packages"]:
        assert (VENDOR / package["licence_file"]).is_file()
        assert package["version"]
        recorded |= package["files"]
    lying_there = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name not in ("VENDORED.json", "LICENSE")
    }
    assert lying_there == recorded


def test_no_page_carries_a_script_or_a_style_of_its_own(reviewer: User) -> None:
    for template in (Path(settings.BASE_DIR) / "templates").rglob("*.html"):
        if "email" in template.parts:
            continue
        text = template.read_text()
        assert not re.search(r"<script(?![^>]* src=)[^>]*>", text), template
        assert not re.search(r"<style\b|\sstyle=|\son[a-z]+=|hx-on|javascript:|js:", text), template
