# ruff: noqa: F811, F401 - fixtures of other tests are imported, and taken by name
"""Kill switches over REST: what programs set, lift and read, and what they are told when they may not."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import ReviewGroup, User
from agents.kill_switches import KillSwitch
from agents.models import HostedAgent
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_api import Api, api, start
from tests.agents.test_effects import PAY
from tests.harness.people import person
from tests.model_server import call, calls, final

NO_SWITCH = "00000000-0000-7000-8000-000000000000"
EVERYTHING = {"scope": "global", "reason": "Incident."}
TELLER = {"scope": "agent", "agent": "teller", "reason": "Incident."}
WIRE = {"scope": "agent_tool", "agent": "teller", "tool": "wire", "reason": "Incident."}
EVERY_WIRE = {"scope": "tool", "tool": "wire", "reason": "Incident."}
BODIES = [EVERYTHING, TELLER, WIRE, EVERY_WIRE]


@pytest.mark.parametrize("body", BODIES)
def test_a_program_sets_a_switch_reads_it_and_lifts_it(
    api: Api, bank: Bank, admin: User, body: dict[str, str]
) -> None:
    answer = api(admin, "post", "kill-switches", body)
    assert answer.status_code == 201
    made = answer.json()
    assert {name: made[name] for name in body} == body
    assert (made["on"], made["set_by"], made["lifted_by"]) == (True, "admin", None)
    assert made["held_back"] == {"runs": 0, "approved_calls": 0}
    assert api(admin, "get", "kill-switches?state=on").json()["items"] == [made]
    path = f"kill-switches/{made['id']}/lift"
    lifted = api(admin, "post", path, {"reason": "It is over."}).json()
    assert (lifted["on"], lifted["lifted_by"], lifted["lift_reason"]) == (
        False,
        "admin",
        "It is over.",
    )
    assert api(admin, "get", "kill-switches?state=on").json()["items"] == []
    assert api(admin, "get", "kill-switches?state=lifted").json()["items"] == [lifted]


@pytest.mark.parametrize(
    ("body", "code"),
    [(EVERYTHING, "everything_stopped"), (TELLER, "agent_disabled")],
)
def test_a_run_that_cannot_start_says_so_with_a_code(
    api: Api, bank: Bank, admin: User, operator: User, body: dict[str, str], code: str
) -> None:
    api(admin, "post", "kill-switches", body)
    answer = start(api, operator)
    assert (answer.status_code, answer.json()["code"]) == (409, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"scope": "global"}, 422, "invalid_request"),
        ({"scope": "global", "reason": ""}, 422, "invalid_request"),
        ({"scope": "global", "reason": "  "}, 422, "kill_switch_invalid"),
        ({"scope": "world", "reason": "x"}, 422, "invalid_request"),
        ({**EVERYTHING, "until": "noon"}, 422, "invalid_request"),
        ({"scope": "agent", "reason": "x"}, 422, "kill_switch_invalid"),
        ({"scope": "agent", "agent": "nobody", "reason": "x"}, 404, "unknown_agent"),
        ({**WIRE, "tool": "fly"}, 422, "kill_switch_invalid"),
    ],
)
def test_what_cannot_be_set_is_refused_with_a_problem(
    api: Api, bank: Bank, admin: User, body: dict[str, str], status: int, code: str
) -> None:
    answer = api(admin, "post", "kill-switches", body)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not KillSwitch.objects.exists()


def test_the_second_is_told_who_was_first(
    api: Api, bank: Bank, admin: User, second_admin: User
) -> None:
    made = api(admin, "post", "kill-switches", EVERYTHING).json()
    answer = api(second_admin, "post", "kill-switches", EVERYTHING)
    assert (answer.status_code, answer.json()["code"]) == (409, "kill_switch_on")
    assert answer.json()["params"]["kill_switch"] == made["id"]
    path = f"kill-switches/{made['id']}/lift"
    assert api(second_admin, "post", path, {"reason": "Over."}).status_code == 200
    answer = api(admin, "post", path, {"reason": "Over."})
    assert (answer.status_code, answer.json()["code"]) == (409, "kill_switch_lifted")
    assert answer.json()["params"]["who"] == "second-admin"


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("who", ["operator", "auditor", "outsider", "reviewer"])
def test_who_may_not_switch_is_refused(
    api: Api,
    bank: Bank,
    admin: User,
    request: pytest.FixtureRequest,
    who: str,
    body: dict[str, str],
) -> None:
    """The owner group does it in the browser: its accounts have no use for a token of the scope `admin`."""
    user = request.getfixturevalue(who)
    assert api(user, "post", "kill-switches", body).status_code == 403
    made = api(admin, "post", "kill-switches", body).json()
    answer = api(user, "post", f"kill-switches/{made['id']}/lift", {"reason": "x"})
    assert answer.status_code in (403, 404)
    assert KillSwitch.objects.get().is_on


@pytest.mark.parametrize("scopes", ["read", "run", "decide"])
def test_a_token_of_another_scope_switches_nothing(
    api: Api, bank: Bank, admin: User, scopes: str
) -> None:
    answer = api(admin, "post", "kill-switches", EVERYTHING, scopes=scopes)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    made = api(admin, "post", "kill-switches", EVERYTHING).json()
    path = f"kill-switches/{made['id']}/lift"
    assert api(admin, "post", path, {"reason": "x"}, scopes=scopes).status_code == 403
    assert KillSwitch.objects.get().is_on


def test_a_switch_that_does_not_exist_is_not_there(api: Api, bank: Bank, admin: User) -> None:
    answer = api(admin, "post", f"kill-switches/{NO_SWITCH}/lift", {"reason": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_kill_switch")


@pytest.mark.parametrize(
    ("who", "seen"),
    [("admin", 3), ("auditor", 3), ("reviewer", 3), ("supporter", 1), ("outsider", 0)],
)
def test_one_sees_what_holds_ones_own_agents(
    api: Api,
    bank: Bank,
    admin: User,
    support: ReviewGroup,
    request: pytest.FixtureRequest,
    who: str,
    seen: int,
) -> None:
    """A supporter owns another agent, which the switch of everything holds."""
    HostedAgent.objects.create(slug="other", title="Other", category="open", owner_group=support)
    supporter = person("supporter", "reviewer", groups=(support,))
    for body in (EVERYTHING, TELLER, WIRE):
        api(admin, "post", "kill-switches", body)
    user = supporter if who == "supporter" else request.getfixturevalue(who)
    assert len(api(user, "get", "kill-switches").json()["items"]) == seen


def test_a_run_says_which_switch_holds_it_and_the_switch_what_it_holds(
    api: Api, counter: Counter, admin: User, operator: User, reviewer: User
) -> None:
    run = counter.start([calls(call("wire", PAY)), final(summary="ok")])
    made = api(admin, "post", "kill-switches", WIRE).json()
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    counter.go_on(run)
    waits = api(operator, "get", f"runs/{run.pk}").json()["waiting_on"]
    held = [wait for wait in waits if wait["kind"] == "kill_switch"]
    assert [(wait["kill_switch"], wait["name"], wait["reason"]) for wait in held] == [
        (made["id"], "wire", "Incident.")
    ]
    everything = api(admin, "post", "kill-switches", EVERYTHING).json()
    waits = api(operator, "get", f"runs/{run.pk}").json()["waiting_on"]
    assert [wait["scope"] for wait in waits if wait["kind"] == "kill_switch"] == [
        "global",
        "agent_tool",
    ]
    found = api(admin, "get", "kill-switches").json()["items"]
    counts = {item["scope"]: item["held_back"] for item in found}
    assert counts["agent_tool"] == {"runs": 1, "approved_calls": 1}
    # It waits for its own switch; without that one it would be ready, and held by this one.
    assert counts["global"] == {"runs": 0, "approved_calls": 0}
    path = f"kill-switches/{made['id']}/lift"
    with counter.captured(execute=True):
        api(admin, "post", path, {"reason": "Over."})
    found = api(admin, "get", "kill-switches?state=on").json()["items"]
    assert [item["held_back"] for item in found] == [{"runs": 1, "approved_calls": 1}]
    assert found[0]["id"] == everything["id"]
    assert ApprovalRequest.objects.get(run_id=run.pk).state == "approved"


def test_an_agent_says_what_is_off(api: Api, bank: Bank, admin: User) -> None:
    off = api(admin, "post", "kill-switches", EVERY_WIRE).json()
    shown = api(admin, "get", "agents/teller").json()
    assert (shown["disabled"], shown["held_by"], shown["tools_off"]) == (False, None, ["wire"])
    made = api(admin, "post", "kill-switches", EVERYTHING).json()
    shown = api(admin, "get", "agents/teller").json()
    assert (shown["disabled"], shown["held_by"]) == (False, made["id"])
    api(admin, "post", "agents/teller/disable", {"reason": "Its own."})
    shown = api(admin, "get", "agents/teller").json()
    assert (shown["disabled"], shown["disabled_reason"]) == (True, "Its own.")
    assert off["id"] != made["id"]


def test_lists_are_paged(api: Api, bank: Bank, admin: User) -> None:
    for body in BODIES:
        api(admin, "post", "kill-switches", body)
    seen: list[str] = []
    cursor = ""
    while True:
        answer: Any = api(admin, "get", f"kill-switches?limit=3{cursor}").json()
        seen += [item["scope"] for item in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == ["tool", "agent_tool", "agent", "global"]


def test_a_visitor_switches_nothing(bank: Bank, db: None) -> None:
    answer = Client().post("/api/v1/kill-switches", EVERYTHING, content_type="application/json")
    assert answer.status_code == 401
