"""The page of kill switches, without JavaScript: what is on and what it holds back, setting and lifting."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import ReviewGroup, User
from agents.kill_switches import KillSwitch
from agents.models import HostedAgent, Run
from agents.services.set_switch import set_switch
from agents.states import SwitchScope
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import TEST
from tests.harness.people import person
from tests.model_server import call, calls, final
from tests.pages.run_fixtures import PAY, Counter, Login, steady  # noqa: F401
from tests.pages.run_reading import text_of

PAGE = "/kill-switches/"
EVERYTHING = {"target": "global::", "reason": "The bank is closed.", "sure": "on"}
TELLER = {**EVERYTHING, "target": "agent:teller:"}
PAY_OF_TELLER = {**EVERYTHING, "target": "agent_tool:teller:pay"}
EVERY_PAY = {**EVERYTHING, "target": "tool::pay"}
OVER = {"reason": "It is open again.", "sure": "on"}


@pytest.fixture
def office(client: Client, login: Login, admin: User, bank: Bank) -> Client:
    """A browser in which the admin is signed in."""
    return login(client, admin)


def everything_off(reason: str = "The bank is closed.") -> KillSwitch:
    return set_switch(scope=SwitchScope.GLOBAL, reason=reason, caller=TEST)


def of_teller(tool: str = "") -> KillSwitch:
    scope = SwitchScope.AGENT_TOOL if tool else SwitchScope.AGENT
    return set_switch(scope=scope, agent="teller", tool=tool, reason="Closed.", caller=TEST)


@pytest.mark.parametrize(
    ("form", "target"),
    [
        (EVERYTHING, "Everything"),
        (TELLER, "Teller"),
        (PAY_OF_TELLER, "Pay of Teller"),
        (EVERY_PAY, "Pay, for every agent"),
    ],
)
def test_an_admin_sets_a_switch_and_lifts_it(
    office: Client, admin: User, form: dict[str, str], target: str
) -> None:
    assert "Nothing is switched off" in text_of(office.get(PAGE))
    answer = office.post(f"{PAGE}set/", form)
    assert answer.headers["Location"] == PAGE
    switch = KillSwitch.objects.get()
    assert (switch.set_by, switch.reason) == (admin, "The bank is closed.")
    text = text_of(office.get(PAGE))
    assert f"{target} Off Lift the switch: {target} Why The bank is closed. Set by admin" in text
    assert "Holds back 0 runs, 0 approved calls" in text
    assert "The bank is closed." in text_of(office.get(f"{PAGE}{switch.pk}/lift/"))
    answer = office.post(f"{PAGE}{switch.pk}/lift/", OVER)
    assert answer.headers["Location"] == PAGE
    switch.refresh_from_db()
    assert (switch.lifted_by, switch.lift_reason) == (admin, "It is open again.")
    text = text_of(office.get(PAGE))
    assert "Nothing is switched off" in text
    assert f"What Set Why Lifted Why {target} admin" in text


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("target", "Choose what is switched off."),
        ("reason", "Say why, so that others know what to wait for."),
        ("sure", "Confirm that it is to stop now."),
    ],
)
def test_setting_asks_for_target_reason_and_confirmation_each_at_its_field(
    office: Client, left_out: str, said: str
) -> None:
    form = {name: value for name, value in EVERYTHING.items() if name != left_out}
    answer = office.post(f"{PAGE}set/", form)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not KillSwitch.objects.exists()


@pytest.mark.parametrize(
    ("left_out", "said"),
    [("reason", "Say why it may go on."), ("sure", "Confirm that it is to go on now.")],
)
def test_lifting_asks_for_a_reason_and_confirmation(
    office: Client, left_out: str, said: str
) -> None:
    switch = everything_off()
    form = {name: value for name, value in OVER.items() if name != left_out}
    answer = office.post(f"{PAGE}{switch.pk}/lift/", form)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert KillSwitch.objects.get().is_on


def test_the_second_is_told_at_the_field_who_was_first(office: Client) -> None:
    everything_off()
    answer = office.post(f"{PAGE}set/", EVERYTHING)
    assert answer.status_code == 422
    assert "The system has set this switch already, and it is on." in text_of(answer)


def test_a_switch_that_somebody_else_lifted_says_who(office: Client, admin: User) -> None:
    switch = everything_off()
    office.post(f"{PAGE}{switch.pk}/lift/", OVER)
    for answer in (
        office.get(f"{PAGE}{switch.pk}/lift/", follow=True),
        office.post(f"{PAGE}{switch.pk}/lift/", OVER, follow=True),
    ):
        assert b"admin has lifted this switch already." in answer.content


def test_the_page_counts_what_is_held_back(
    office: Client, counter: Counter, reviewer: User
) -> None:
    runs = [counter.start([calls(call("pay", PAY)), final(summary="ok")]) for _ in range(3)]
    of_teller("pay")
    for run in runs[:2]:
        counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
        counter.go_on(run)
    assert "Holds back 2 runs, 2 approved calls" in text_of(office.get(PAGE))


def test_a_person_of_the_owner_group_switches_their_own_agent_and_is_offered_no_other(
    client: Client, login: Login, bank: Bank, reviewer: User, support: ReviewGroup
) -> None:
    HostedAgent.objects.create(slug="other", title="Other", category="open", owner_group=support)
    login(client, person("banker", "reviewer", groups=(bank_group(),)))
    offered = client.get(f"{PAGE}set/").content.decode()
    assert "agent:teller:" in offered
    assert "agent_tool:teller:pay" in offered
    for key in ("global::", "agent:other:", "tool::pay"):
        assert key not in offered
        answer = client.post(f"{PAGE}set/", {**TELLER, "target": key})
        assert "This is not yours to switch off" in text_of(answer)
    assert not KillSwitch.objects.exists()
    assert client.post(f"{PAGE}set/", TELLER).status_code == 302
    switch = KillSwitch.objects.get()
    assert client.post(f"{PAGE}{switch.pk}/lift/", OVER).status_code == 302
    assert not KillSwitch.objects.get().is_on


def bank_group() -> ReviewGroup:
    return HostedAgent.objects.get(slug="teller").owner_group


def test_the_owner_group_sees_what_holds_its_agents_and_lifts_only_its_own(
    client: Client, login: Login, bank: Bank, reviewer: User
) -> None:
    everything, own = everything_off(), of_teller()
    text = text_of(login(client, reviewer).get(PAGE))
    assert "Everything Off Why" in text
    assert "Teller Off Lift the switch: Teller" in text
    assert client.post(f"{PAGE}{everything.pk}/lift/", OVER).status_code == 403
    assert client.get(f"{PAGE}{everything.pk}/lift/").status_code == 403
    assert client.post(f"{PAGE}{own.pk}/lift/", OVER).status_code == 302


def test_an_auditor_reads_and_switches_nothing(
    client: Client, login: Login, bank: Bank, auditor: User
) -> None:
    switch = everything_off()
    page = login(client, auditor).get(PAGE)
    assert "Everything Off Why" in text_of(page)
    assert b"/lift/" not in page.content
    assert client.get(f"{PAGE}set/").status_code == 403
    assert client.post(f"{PAGE}set/", EVERYTHING).status_code == 403
    assert client.post(f"{PAGE}{switch.pk}/lift/", OVER).status_code == 403


@pytest.mark.parametrize("who", ["operator", "outsider"])
def test_others_do_not_come_in(
    client: Client, login: Login, bank: Bank, request: pytest.FixtureRequest, who: str
) -> None:
    switch = of_teller()
    login(client, request.getfixturevalue(who))
    assert client.get(PAGE).status_code == 403
    assert client.post(f"{PAGE}set/", EVERYTHING).status_code == 403
    assert client.post(f"{PAGE}{switch.pk}/lift/", OVER).status_code == 404
    assert KillSwitch.objects.get().is_on


def test_every_page_says_that_everything_is_off_while_it_is(
    client: Client, login: Login, bank: Bank, outsider: User
) -> None:
    login(client, outsider)
    for path in ("/inbox/", "/runs/", "/settings/"):
        assert b"Everything is switched off" not in client.get(path).content
    switch = everything_off("<b>Fire</b>")
    for path in ("/inbox/", "/runs/", "/settings/", f"{PAGE}banner/"):
        page = client.get(path)
        assert b"Everything is switched off" in page.content
        assert b"<b>Fire</b>" not in page.content
    KillSwitch.objects.filter(pk=switch.pk).update(lifted_at=switch.set_at)
    assert b"Everything is switched off" not in client.get(f"{PAGE}banner/").content


def test_a_switch_of_one_agent_is_no_matter_for_every_page(
    client: Client, login: Login, bank: Bank, outsider: User
) -> None:
    of_teller()
    assert b"switched off" not in login(client, outsider).get("/inbox/").content


def test_runs_are_not_started_from_the_page_while_everything_is_off(
    client: Client, login: Login, bank: Bank, operator: User
) -> None:
    login(client, operator)
    everything_off()
    assert "No agent can be started now." in text_of(client.get("/runs/"))
    answer = client.post("/runs/start/", {"agent": "teller", "text": "Pay."})
    assert answer.status_code == 422
    assert Run.objects.count() == 0


@pytest.mark.parametrize(
    ("tool", "said"),
    [("", "Its agent is switched off"), ("pay", "Pay is switched off for its agent")],
)
def test_a_held_run_says_why_it_stands_still(
    client: Client,
    login: Login,
    counter: Counter,
    operator: User,
    reviewer: User,
    tool: str,
    said: str,
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    of_teller(tool)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    counter.go_on(run)
    text = text_of(login(client, operator).get(f"/runs/{run.pk}/"))
    assert said in text
    assert "Why: Closed." in text


@pytest.mark.parametrize("tool", ["", "pay"])
def test_a_request_says_that_it_is_held_back_and_can_be_decided(
    client: Client, login: Login, counter: Counter, reviewer: User, tool: str
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    request = counter.request(run)
    path = f"/requests/{request.pk}/"
    login(client, reviewer)
    assert "It can be decided as ever" not in text_of(client.get(path))
    of_teller(tool)
    page = client.get(path)
    assert "is switched off: Closed. It can be decided as ever" in text_of(page)
    assert 'value="approve"' in page.content.decode()
    counter.decide(request, Verdict.APPROVE, reviewer)
    assert "Held back by a kill switch: it has not been sent." in text_of(client.get(path))


def test_the_rail_leads_an_admin_there_and_agents_lead_the_owner_group(
    office: Client, login: Login, reviewer: User, outsider: User
) -> None:
    assert 'href="/kill-switches/"' in office.get("/inbox/").content.decode()
    other = login(Client(), reviewer)
    assert 'href="/kill-switches/"' not in other.get("/inbox/").content.decode()
    for path in ("/agents/", "/agents/teller/"):
        assert 'href="/kill-switches/"' in other.get(path).content.decode()
    stranger = login(Client(), outsider)
    assert 'href="/kill-switches/"' not in stranger.get("/agents/").content.decode()


def test_an_agents_page_says_that_a_tool_of_it_is_off(office: Client) -> None:
    of_teller("pay")
    assert "Pay of Teller is switched off" in text_of(office.get("/agents/teller/"))
