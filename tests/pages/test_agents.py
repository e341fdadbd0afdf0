"""The pages of agents: who answers, what it may do, versions, and the kill switch."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import ReviewGroup, User
from agents import registry
from agents.authoring import Budget
from agents.decision_rates import Rate, decision_rates
from agents.definitions import Agent
from agents.kill_switches import KillSwitch
from agents.models import HostedAgent, Run
from agents.services.sync import sync_agents
from agents.tool_words import type_words
from agents.version_changes import changes_between
from approvals.policies import load
from approvals.services.policies import current
from approvals.services.publish import publish
from approvals.vocabulary import Verdict
from audit.clock import database_now
from audit.models import Event
from demo.agents import refund_desk
from tests.agents.bank import Bank, teller
from tests.agents.conftest import TEST
from tests.harness.people import person
from tests.model_server import call, calls, final
from tests.pages.run_fixtures import PAY, READ, Counter, Login, host, steady  # noqa: F401
from tests.pages.run_reading import text_of

OFF = {"reason": "The bank is closed."}


@pytest.fixture
def office(client: Client, login: Login, admin: User) -> Client:
    """A browser in which the admin is signed in."""
    return login(client, admin)


def switch_of(slug: str) -> KillSwitch | None:
    """The agent's own kill switch while it is on."""
    return KillSwitch.objects.active().filter(agent__slug=slug, tool="").first()


def install(agent: Agent) -> None:
    """Install a version without activating it, as a deploy does."""
    registry.unregister("teller")
    registry.register(agent)
    sync_agents([agent], actor=TEST)


# -- doors ----------------------------------------------------------------------------------------


def test_a_visitor_is_sent_to_sign_in(client: Client, bank: Bank) -> None:
    for path in ("/agents/", "/agents/teller/"):
        assert client.get(path).headers["Location"].startswith("/accounts/login/")
    for name in ("disable", "enable", "activate"):
        answer = client.post(f"/agents/teller/{name}/", OFF)
        assert answer.headers["Location"].startswith("/accounts/login/")
    assert switch_of("teller") is None


def test_an_outsider_sees_no_agent_and_switches_none(
    client: Client, login: Login, outsider: User, bank: Bank
) -> None:
    login(client, outsider)
    assert "No agents" in text_of(client.get("/agents/"))
    assert client.get("/agents/teller/").status_code == 404
    for name in ("disable", "enable", "activate"):
        assert client.post(f"/agents/teller/{name}/", OFF).status_code == 404
    assert switch_of("teller") is None


@pytest.mark.parametrize("who", ["operator", "auditor"])
def test_who_only_looks_cannot_switch(
    client: Client, login: Login, request: pytest.FixtureRequest, who: str, bank: Bank
) -> None:
    login(client, request.getfixturevalue(who))
    page = client.get("/agents/teller/")
    assert b"/disable/" not in page.content
    for name in ("disable", "enable", "activate"):
        body = {**OFF, "digest": registry.get("teller").version}
        assert client.post(f"/agents/teller/{name}/", body).status_code == 403
    assert switch_of("teller") is None
    assert not Event.objects.filter(type__in=["agent.disabled", "agent.enabled"]).exists()


def test_an_agent_that_does_not_exist_is_not_there(office: Client) -> None:
    assert office.get("/agents/nobody/").status_code == 404
    assert office.post("/agents/nobody/disable/", OFF).status_code == 404


# -- what stands there ----------------------------------------------------------------------------


def test_of_an_agent_of_others_only_the_newest_open_runs_are_looked_through(
    client: Client, login: Login, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        counter.start([calls(call("pay", PAY))])
    stranger = person("stranger", "reviewer")
    Run.objects.update(initiator=stranger)
    login(client, stranger)

    def waiting() -> list[int]:
        rows = client.get("/agents/").context["rows"]
        return [row.waiting for row in rows if row.agent.slug == "teller"]

    whole = waiting()
    monkeypatch.setattr("agents.views.agents.MOST_COUNTED", 1)
    assert (whole, waiting()) == ([2], [1])


def test_the_list_says_who_answers_and_how_each_agent_stands(
    office: Client, counter: Counter
) -> None:
    counter.start([calls(call("pay", PAY))])
    counter.start([final(summary="ok")])
    page = office.get("/agents/")
    (row,) = [row for row in page.context["rows"] if row.agent.slug == "teller"]
    assert (row.state, row.category) == ("On", "Bounded")
    assert (row.at_work, row.waiting, row.ended) == (0, 1, 1)
    assert "Teller Finance" in text_of(page)
    assert "/runs/?state=waiting&amp;agent=teller" in page.content.decode()


def test_the_page_says_what_the_agent_may_do(office: Client, support: ReviewGroup) -> None:
    host(refund_desk)
    page = office.get("/agents/refund-desk/")
    text = text_of(page)
    assert "Bounded: the model chooses what comes next, from a closed list of tools" in text
    assert "Issue refund issue_refund ● High risk Moves money Irreversible" in text
    assert "The other side knows repeated calls by their key" in text
    assert "Look up order look_up_order ○ Low risk Only reads" in text
    assert "Amount in euro amount Number. Euro, such as 42.00" in text
    assert "may be changed without a second person" in text
    assert "Steps 40" in text
    assert "Tokens 200,000" in text


def test_the_page_names_the_people_who_answer(
    office: Client, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    text = text_of(office.get("/agents/teller/"))
    assert "Who answers for it Finance R reviewer SR second-reviewer" in text


def test_outcomes_are_counted_and_recent_runs_listed(office: Client, counter: Counter) -> None:
    counter.start([final(summary="ok")])
    counter.start([final(summary="ok")])
    counter.start([calls(call("abstain", {"reason": "No."}))])
    counter.start([calls(call("pay", PAY))])
    page = office.get("/agents/teller/")
    counted = {entry["label"]: entry["number"] for entry in page.context["outcomes"]}
    assert counted == {"Done": 2, "Abstained": 1, "Waiting for a person": 1}
    assert [row.state for row in page.context["recent"]] == [
        "Waiting for a person",
        "Abstained",
        "Succeeded",
        "Succeeded",
    ]


def test_counts_are_of_the_runs_that_one_may_see(
    client: Client, login: Login, counter: Counter, admin: User
) -> None:
    counter.start([final(summary="ok")])
    stranger = person("stranger", "reviewer")
    page = login(client, stranger).get("/agents/teller/")
    assert page.context["outcomes"] == []
    assert "It has no runs that you may see." in text_of(page)


def test_examples_lead_to_the_filled_form_for_who_may_start(
    client: Client, login: Login, operator: User, reviewer: User, support: ReviewGroup
) -> None:
    host(refund_desk)
    page = login(client, operator).get("/agents/refund-desk/")
    assert "/runs/?start=refund-desk&amp;example=1#start" in page.content.decode()
    page = login(client, reviewer).get("/agents/refund-desk/")
    assert "Start with this" not in text_of(page)


def test_more_agents_and_runs_take_no_more_queries(
    office: Client, counter: Counter, support: ReviewGroup
) -> None:
    counter.start([calls(call("pay", PAY))])
    office.get("/agents/")
    with CaptureQueriesContext(connection) as few_agents:
        office.get("/agents/")
    with CaptureQueriesContext(connection) as few_runs:
        office.get("/agents/teller/")
    host(refund_desk)
    for _ in range(5):
        counter.start([calls(call("pay", PAY))])
    with CaptureQueriesContext(connection) as more_agents:
        office.get("/agents/")
    with CaptureQueriesContext(connection) as more_runs:
        office.get("/agents/teller/")
    assert len(more_agents) == len(few_agents) <= 16
    assert len(more_runs) == len(few_runs) <= 31


# -- kill switch ----------------------------------------------------------------------------------


def test_an_agent_is_switched_off_with_a_reason_and_on_again(
    office: Client, bank: Bank, admin: User
) -> None:
    answer = office.post("/agents/teller/disable/", OFF)
    assert answer.headers["Location"] == "/agents/teller/"
    switch = switch_of("teller")
    assert switch is not None
    assert (switch.set_by, switch.reason) == (admin, "The bank is closed.")
    text = text_of(office.get("/agents/teller/"))
    assert "Switched off by admin just now . The bank is closed." in text
    assert "nothing is dispatched" in text
    assert "Switched off" in text_of(office.get("/agents/"))
    office.post("/agents/teller/enable/")
    assert switch_of("teller") is None
    assert Event.objects.filter(type="agent.disabled").count() == 1
    assert Event.objects.filter(type="agent.enabled").count() == 1


def test_switching_off_asks_for_a_reason_at_its_field(office: Client, bank: Bank) -> None:
    answer = office.post("/agents/teller/disable/", {"reason": "  "})
    assert answer.status_code == 422
    assert "Say why, so that others know what to wait for." in text_of(answer)
    assert switch_of("teller") is None
    assert office.get("/agents/teller/disable/").headers["Location"] == "/agents/teller/"


def test_people_of_the_owner_group_switch_their_own_agent_and_no_other(
    client: Client, login: Login, bank: Bank, reviewer: User, support: ReviewGroup
) -> None:
    supporter = person("supporter", "reviewer", groups=(support,))
    assert login(client, supporter).post("/agents/teller/disable/", OFF).status_code == 403
    assert login(client, reviewer).post("/agents/teller/disable/", OFF).status_code == 302
    switch = switch_of("teller")
    assert switch is not None
    assert switch.set_by == reviewer


# -- versions -------------------------------------------------------------------------------------


def test_an_installed_version_that_is_not_active_is_shown_with_its_changes(
    office: Client, bank: Bank
) -> None:
    changed = teller(bank, budget=Budget(steps=50), instructions="You serve quickly.")
    install(changed)
    page = office.get("/agents/teller/")
    text = text_of(page)
    assert "An installed version waits to be activated" in text
    assert "Its instructions changed." in text
    assert "Its limit of steps: 40 before, 50 now." in text
    assert "To be activated" in text_of(office.get("/agents/"))
    office.post("/agents/teller/activate/", {"digest": changed.version})
    hosted = HostedAgent.objects.select_related("active_version").get(slug="teller")
    assert hosted.active_version is not None
    assert hosted.active_version.digest == changed.version
    assert "waits to be activated" not in text_of(office.get("/agents/teller/"))


def test_a_version_that_is_not_the_installed_one_is_not_activated(
    office: Client, bank: Bank
) -> None:
    before = HostedAgent.objects.get(slug="teller").active_version_id
    install(teller(bank, instructions="You serve quickly."))
    answer = office.post("/agents/teller/activate/", {"digest": f"sha256:{'0' * 64}"})
    assert answer.status_code == 404
    assert HostedAgent.objects.get(slug="teller").active_version_id == before


def test_an_operator_is_told_who_activates(
    client: Client, login: Login, bank: Bank, operator: User
) -> None:
    install(teller(bank, instructions="You serve quickly."))
    page = login(client, operator).get("/agents/teller/")
    assert "Finance or an admin activates it." in text_of(page)
    assert b"/activate/" not in page.content


def test_an_agent_that_is_not_installed_any_more_still_has_a_page(
    office: Client, bank: Bank
) -> None:
    registry.unregister("teller")
    text = text_of(office.get("/agents/teller/"))
    assert "No installed app declares it any more." in text
    assert "Read balance" in text
    assert not Run.objects.exists()


def test_changes_of_tools_are_named(bank: Bank) -> None:
    old = teller(bank).definition
    tools = [tool for tool in old["tools"] if tool["name"] != "wire"]
    tools[0] = {**tools[0], "risk": "critical"}
    new = {**old, "tools": [*tools, {**old["tools"][0], "name": "fly"}]}
    assert changes_between(old, new) == [
        "It has a new tool, fly.",
        "It has the tool wire no more.",
        "Its tool read_balance changed: risk.",
    ]
    assert changes_between(old, old) == []


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "date"}, "date"),
        ({"anyOf": [{"type": "number"}, {"type": "string", "pattern": "x"}]}, "number"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "whole number or nothing"),
        ({"type": "array", "items": {"type": "boolean"}}, "list of yes or no"),
        ({"enum": ["a", "b"]}, "one of a, b"),
        ({"$ref": "#/$defs/Line"}, "object"),
        ({}, "anything"),
    ],
)
def test_types_are_said_in_words(schema: dict[str, object], said: str) -> None:
    assert type_words(schema) == said


# -- the policy in force, and what became of calls ------------------------------------------------


def test_the_page_says_what_the_policy_holds_for_each_tool_and_which_rules_speak_of_it(
    client: Client, login: Login, bank: Bank, reviewer: User, operator: User
) -> None:
    policy = current().policy.with_threshold("0.95", agent="teller", tool="pay")
    rules = [
        {"name": "big", "title": "Big payments", "when": {"tools": ["pay"]}, "effect": "review"},
        {"name": "other", "when": {"agents": ["refund-desk"]}, "effect": "deny"},
        {"name": "money", "when": {"effects": ["money"]}, "effect": "review"},
    ]
    document = load(policy.document() | {"rules": rules})
    publish(document=document, base_version=current().version, caller=TEST, why="For a test.")
    page = login(client, reviewer).get("/agents/teller/")
    said = page.context["policy"]
    pay = next(tool for tool in said.tools if tool.tool == "pay")
    read = next(tool for tool in said.tools if tool.tool == "read_balance")
    assert (pay.threshold, pay.source) == ("0.95", "for this tool of this agent")
    assert read.source == "for its risk"
    assert read.otherwise == "Runs by itself above the threshold"
    assert [rule.title for rule in said.rules] == ["Big payments", "money"]
    # A rule that names its tools says so itself.
    assert [rule.tools for rule in said.rules] == [(), ["Pay", "Wire", "Book", "Order"]]
    assert "Policy in force version 2" in text_of(page)
    assert 'href="/policies/"' in page.content.decode().partition('id="policy-title"')[2]
    page = login(client, operator).get("/agents/teller/")
    assert page.context["policy"] is None
    assert "Policy in force" not in text_of(page)


def test_few_decisions_are_counted_without_percentages(
    office: Client, counter: Counter, reviewer: User, second_reviewer: User
) -> None:
    counter.start([calls(call("read_balance", READ)), final(summary="ok")])
    verdicts = [
        (Verdict.APPROVE, {}),
        (Verdict.REJECT, {"reason": "No."}),
        (Verdict.SEND_BACK, {"reason": "Other."}),
    ]
    for verdict, body in verdicts:
        run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
        counter.decide(counter.request(run), verdict, reviewer, **body)
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    changed = {"account": "A1", "amount": "40.00"}
    counter.decide(counter.request(run), Verdict.EDIT, reviewer, arguments=changed)
    counter.decide(counter.request(run), Verdict.APPROVE, second_reviewer)
    counter.start([calls(call("pay", PAY))])
    page = office.get("/agents/teller/")
    rates = page.context["rates"]
    assert {rate.label: rate.text for rate in rates.calls} == {
        "Ran without a person": "1 of 5",
        "Approved as proposed": "1 of 5",
        "Approved with a change": "1 of 5",
        "Sent back": "1 of 5",
        "Rejected": "1 of 5",
    }
    assert rates.intervention is not None
    assert rates.intervention.text == "3 of 4"
    assert "%" not in text_of(page).partition("What became of its calls")[2].partition("Policy")[0]
    assert "Too few for percentages." in text_of(page)


def test_many_decisions_have_a_percentage_and_are_counted_of_the_newest_runs_in_two_queries(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Rate("x", 30, 40).text == "30 of 40 (75 %)"
    assert Rate("x", 3, 4).text == "3 of 4"
    monkeypatch.setattr("agents.decision_rates.MOST_RUNS", 3)
    monkeypatch.setattr("agents.decision_rates.MOST_STEPS", 4)
    for _ in range(5):
        counter.start([*(calls(call("read_balance", READ)) for _ in range(4)), final(summary="ok")])
    with CaptureQueriesContext(connection) as asked:
        rates = decision_rates(Run.objects.all(), database_now())
    assert len(asked) == 3
    assert (rates.runs, rates.cut) == (3, True)
    # Of ten steps the last four: a call, its next request, the answer and its request.
    assert [rate.number for rate in rates.calls] == [3]
    old = decision_rates(Run.objects.all(), database_now() + timedelta(days=31))
    assert (old.runs, old.calls, old.intervention) == (0, [], None)
