"""The page and the API of one version of an agent: what differs, and who activates it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from playwright.sync_api import BrowserContext, expect

from accounts.models import ReviewGroup, User
from accounts.services.create_token import create_token
from agents import registry
from agents.definitions import Agent
from agents.models import AgentVersion, HostedAgent
from agents.services.sync import sync_agents
from audit.actors import Actor
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import host
from tests.harness.looks import looks_at, troubles_of
from tests.harness.people import person
from tests.harness.stack import Stack
from tests.pages.run_reading import text_of

Login = Callable[[Client, User], Client]
TEST = Actor.system("test")


@pytest.fixture
def changed(finance: ReviewGroup) -> Iterator[tuple[Agent, Agent]]:
    """The teller as it is active, and as it is installed since."""
    bank = Bank()
    active = teller(bank)
    host(active)
    installed = teller(bank, instructions="You serve quickly.\nSmile.")
    registry.unregister("teller")
    registry.register(installed)
    sync_agents([installed], actor=TEST)
    yield active, installed
    registry.unregister("teller")


def page_of(version: Agent) -> str:
    return f"/agents/teller/versions/{version.version}/"


def test_the_installed_version_is_read_beside_the_active_one_and_activated_by_its_owners(
    client: Client, login: Login, reviewer: User, changed: tuple[Agent, Agent]
) -> None:
    active, installed = changed
    login(client, reviewer)
    assert page_of(installed) in client.get("/agents/teller/").content.decode()
    page = client.get(page_of(installed))
    text = text_of(page)
    for said in ("To be activated", "Its instructions changed", "You serve quickly.", "Smile."):
        assert said in text
    assert "You serve at the counter of a bank." in text
    client.post("/agents/teller/activate/", {"digest": installed.version})
    assert "Active" in text_of(client.get(page_of(installed)))
    event = Event.objects.get(type="agent.activated", actor_id=str(reviewer.pk))
    assert json.loads(bytes(event.body))["facts"]["previous_version"] == active.version


def test_who_does_not_answer_for_an_agent_reads_the_difference_and_activates_nothing(
    client: Client, login: Login, support: ReviewGroup, changed: tuple[Agent, Agent]
) -> None:
    active, installed = changed
    stranger = person("stranger", "reviewer", groups=(support,))
    page = login(client, stranger).get(page_of(installed))
    assert "Finance or an admin activates it." in text_of(page)
    assert b"/activate/" not in page.content
    refused = client.post("/agents/teller/activate/", {"digest": installed.version})
    assert refused.status_code == 403
    bearer = create_token(person=stranger, name="t", caller=TEST).bearer
    asked = Client(headers={"Authorization": f"Bearer {bearer}"}).post(
        f"/api/v1/agents/teller/versions/{installed.version}/activate"
    )
    assert asked.status_code == 403
    hosted = HostedAgent.objects.select_related("active_version").get(slug="teller")
    assert hosted.active_version is not None
    assert hosted.active_version.digest == active.version


def test_versions_that_nobody_may_know_are_not_there(
    client: Client, login: Login, outsider: User, reviewer: User, changed: tuple[Agent, Agent]
) -> None:
    assert login(client, outsider).get(page_of(changed[0])).status_code == 404
    login(client, reviewer)
    assert client.get(f"/agents/teller/versions/sha256:{'0' * 64}/").status_code == 404
    assert client.get(f"{page_of(changed[0])}?against=nothing").status_code == 404


def test_a_program_reads_versions_and_what_differs(
    reviewer: User, changed: tuple[Agent, Agent]
) -> None:
    active, installed = changed
    bearer = create_token(person=reviewer, name="t", caller=TEST).bearer
    program = Client(headers={"Authorization": f"Bearer {bearer}"})
    listed = program.get("/api/v1/agents/teller/versions").json()["items"]
    assert [(each["digest"], each["active"]) for each in listed] == [
        (installed.version, False),
        (active.version, True),
    ]
    answer = program.get(f"/api/v1/agents/teller/versions/{installed.version}").json()
    assert (answer["active"], answer["installed"]) == (False, True)
    assert answer["compared_with"] == active.version
    assert answer["definition"]["instructions"] == installed.instructions
    (change,) = answer["changes"]
    assert change["part"] == "instructions"
    assert {line["mark"] for line in change["lines"]} == {"+", "-"}
    turned = program.get(
        f"/api/v1/agents/teller/versions/{active.version}?against={installed.version}"
    ).json()
    assert turned["compared_with"] == installed.version
    missing = program.get("/api/v1/agents/teller/versions/sha256:0")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_agent_version")


def test_sync_agents_says_what_differs_and_makes_groups_that_are_missing(
    changed: tuple[Agent, Agent],
) -> None:
    registry.register(teller(Bank(), slug="clerk", title="Clerk", owner="back-office"))
    out = StringIO()
    call_command("sync_agents", stdout=out)
    registry.unregister("clerk")
    said = out.getvalue()
    assert "teller: Its instructions changed." in said
    assert "New review group back-office" in said
    assert ReviewGroup.objects.get(slug="back-office").title == "Back Office"
    assert f"teller waits for its owner group to activate {changed[1].version}" in said


@looks_at("agent-version")
def test_the_page_of_a_version_is_readable_in_either_theme_and_on_a_phone(
    site: Stack, context_for: Callable[..., BrowserContext], admin: User
) -> None:
    active = AgentVersion.objects.get(slug="refund-desk")
    definition = dict(active.definition)
    tools = [dict(tool) for tool in definition["tools"]]
    tools[2] |= {"risk": "critical", "description": "Pay money back.\nOnly once."}
    changed = {
        **definition,
        "instructions": definition["instructions"].replace("in euro", "in euro or in pounds"),
        "budget": {**definition["budget"], "steps": 80},
        "tools": tools[:3],
    }
    other = AgentVersion.objects.create(
        slug="refund-desk",
        digest=f"sha256:{'ab' * 32}",
        definition=changed,
        first_seen_at=active.first_seen_at,
    )
    page = context_for(admin, site.url).new_page()
    page.goto(f"/agents/refund-desk/versions/{other.digest}/")
    expect(page.get_by_text("in euro or in pounds")).to_be_visible()
    assert troubles_of(page, within="main") == []
