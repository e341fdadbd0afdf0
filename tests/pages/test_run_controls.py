# ruff: noqa: F811 - fixtures are imported, and taken by name
"""Speaking to a run from its page, and what the page says of it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import ReviewGroup, User
from agents.models import RunMessage
from agents.services.operate_agent import disable_agent
from agents.services.say import MOST_A_MINUTE
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.conftest import TEST
from tests.agents.saying import GOAL, parked, say, taken
from tests.agents.test_policy_and_runs import rules_published
from tests.harness.people import person
from tests.model_server import final
from tests.pages.run_fixtures import PAY, Counter, Login, desk, steady  # noqa: F401
from tests.pages.run_reading import step_of, text_of


def controls(answer: object) -> str:
    """The markup of the page's controls."""
    markup = answer.content.decode()  # type: ignore[attr-defined]
    start = markup.index('id="run-controls"')
    return markup[start : markup.index("</header>", start)]


def test_a_message_is_sent_from_the_page_and_stands_there_until_it_is_read(
    desk: Client, counter: Counter, reviewer: User
) -> None:
    run = parked(counter, "pay")
    answer = desk.post(f"/runs/{run.pk}/message/", {"text": "Look at the date."}, follow=True)
    assert "The message is sent." in " ".join(map(str, answer.context["messages"]))
    assert "Not read yet: operator says Look at the date." in text_of(answer)
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    counter.go_on(run)
    page = desk.get(f"/runs/{run.pk}/")
    assert "Not read" not in text_of(page)
    assert "operator says Look at the date. Read" in step_of(page, 3)


def test_a_message_that_the_run_did_not_live_to_read_says_so(
    desk: Client, counter: Counter, operator: User
) -> None:
    run = parked(counter)
    say(run, operator, "Too late.")
    desk.post(f"/runs/{run.pk}/cancel/")
    said = text_of(desk.get(f"/runs/{run.pk}/"))
    assert "Not read, because the run ended first: operator says Too late." in said


def test_a_message_that_was_taken_up_by_a_run_that_ended_first_was_not_read(
    desk: Client, counter: Counter, operator: User
) -> None:
    run = parked(counter)
    say(run, operator, "Hello?")
    run = counter.go_on(taken(run, operator))
    assert "operator says Hello? Not read yet" in step_of(desk.get(f"/runs/{run.pk}/"), 3)
    desk.post(f"/runs/{run.pk}/cancel/")
    assert "operator says Hello? Not read" in step_of(desk.get(f"/runs/{run.pk}/"), 3)


def test_the_task_is_changed_from_the_page_once_it_is_confirmed(
    desk: Client, counter: Counter
) -> None:
    run = parked(counter)
    refused = desk.post(f"/runs/{run.pk}/goal/", {"text": GOAL})
    assert refused.status_code == 422
    assert "Confirm that what it has asked for is set aside." in controls(refused)
    assert GOAL in controls(refused)
    assert counter.request(run).state == "pending"
    page = desk.post(f"/runs/{run.pk}/goal/", {"text": GOAL, "sure": "on"}, follow=True)
    assert page.context["run"].title == GOAL
    assert "Task changed" in text_of(page)
    assert "At first Please pay." in text_of(page)
    assert f"operator changed the task to {GOAL}" in text_of(page)
    run = counter.go_on(run)
    page = desk.get(f"/runs/{run.pk}/")
    assert "Set aside" in step_of(page, 2)
    assert "The task changed before this call ran." in step_of(page, 2)
    assert f"operator changed the task {GOAL} Read" in step_of(page, 3)
    listed = text_of(desk.get("/runs/"))
    assert GOAL in listed
    assert "Task changed" in listed


def test_a_long_new_task_stands_whole_on_the_page(desk: Client, counter: Counter) -> None:
    long = "Read every letter of the account. " * 20
    run = parked(counter)
    page = desk.post(f"/runs/{run.pk}/goal/", {"text": long, "sure": "on"}, follow=True)
    assert page.context["run"].title.endswith("…")
    assert f"Now {long.strip()} At first Please pay." in text_of(page)


def test_a_run_is_taken_over_and_handed_back_through_pages(
    desk: Client, client: Client, login: Login, counter: Counter, operator: User, reviewer: User
) -> None:
    run = parked(counter)
    page = desk.post(f"/runs/{run.pk}/take-over/", {"reason": "I call."}, follow=True)
    assert page.context["state"] == "Taken over"
    assert "operator has taken it over: nothing of it goes out until it is handed back." in text_of(
        page
    )
    assert "Taken over" in text_of(desk.get("/runs/"))
    counter.go_on(run)
    page = desk.get(f"/runs/{run.pk}/")
    assert "operator took over I call. Taken over" in step_of(page, 3)
    assert "take-over" not in controls(page)
    request = ApprovalRequest.objects.get(kind="hand_back")
    assert f"/{request.pk}/" in controls(page)
    assert "Waits for: The hand-back" in text_of(page)
    asked = text_of(desk.get(page.context["hand_back"] and f"/requests/{request.pk}/"))
    assert "taken over by" in asked
    assert "Hand back" in asked
    twice = login(client, reviewer).post(f"/runs/{run.pk}/take-over/", follow=True)
    assert "operator has taken over this run already" in " ".join(
        map(str, twice.context["messages"])
    )
    counter.decide(request, Verdict.RETURN, reviewer, message="They are ill.")
    counter.go_on(run)
    page = desk.get(f"/runs/{run.pk}/")
    assert page.context["state"] == "Waiting for a person"
    assert "reviewer handed it back: They are ill." in step_of(page, 3)


def test_what_would_be_refused_is_not_offered(
    desk: Client, counter: Counter, operator: User
) -> None:
    run = parked(counter)
    assert "take-over" in controls(desk.get(f"/runs/{run.pk}/"))
    desk.post(f"/runs/{run.pk}/pause/")
    assert "take-over" not in controls(desk.get(f"/runs/{run.pk}/"))
    desk.post(f"/runs/{run.pk}/resume/")
    disable_agent(slug="teller", reason="", caller=TEST)
    assert "take-over" not in controls(desk.get(f"/runs/{run.pk}/"))
    assert "message/" in controls(desk.get(f"/runs/{run.pk}/"))


@pytest.mark.parametrize(
    ("name", "text"), [("message", ""), ("message", "x" * 4_001), ("goal", " ")]
)
def test_what_does_not_fit_is_said_at_the_field_and_nothing_is_lost(
    desk: Client, counter: Counter, name: str, text: str
) -> None:
    run = parked(counter)
    answer = desk.post(f"/runs/{run.pk}/{name}/", {"text": text, "sure": "on"})
    assert answer.status_code == 422
    assert f'id="{name}-text_error"' in controls(answer)
    assert text[:40] in controls(answer)
    assert not RunMessage.objects.exists()


def test_too_much_said_at_once_is_said_at_the_field(
    desk: Client, counter: Counter, operator: User
) -> None:
    run = parked(counter)
    for _ in range(MOST_A_MINUTE):
        say(run, operator)
    answer = desk.post(f"/runs/{run.pk}/message/", {"text": "One more."})
    assert answer.status_code == 422
    assert "Wait a little, then say it." in controls(answer)
    assert "One more." in controls(answer)


def test_the_addresses_of_the_forms_lead_to_the_run(desk: Client, counter: Counter) -> None:
    run = parked(counter)
    for name in ("message", "goal"):
        assert desk.get(f"/runs/{run.pk}/{name}/").headers["Location"] == f"/runs/{run.pk}/"


@pytest.mark.parametrize("name", ["message", "goal", "take-over"])
def test_who_may_not_control_a_run_says_nothing_to_it(
    client: Client, login: Login, counter: Counter, auditor: User, outsider: User, name: str
) -> None:
    run = parked(counter)
    body = {"text": "Hello.", "sure": "on"}
    for user, status in ((auditor, 403), (outsider, 404)):
        assert login(client, user).post(f"/runs/{run.pk}/{name}/", body).status_code == status
    ended = counter.start([final(summary="ok")])
    answer = login(client, counter.operator).post(f"/runs/{ended.pk}/{name}/", body, follow=True)
    assert "The run has already succeeded." in " ".join(map(str, answer.context["messages"]))
    assert not RunMessage.objects.exists()


# -- who sees a run -------------------------------------------------------------------------------


@pytest.fixture
def supporter(counter: Counter, support: ReviewGroup) -> User:
    """Of a group that is asked about payments, and that does not own the agent."""
    who = person("supporter", "reviewer", groups=(support,))
    rules_published(
        {
            "name": "support-looks",
            "title": "Support looks",
            "when": {"tools": ["pay"]},
            "effect": "review",
            "requirements": {"groups": [{"group": "support"}]},
        }
    )
    return who


def test_who_may_decide_what_a_run_asks_for_finds_the_run_and_only_that_one(
    client: Client, login: Login, counter: Counter, supporter: User
) -> None:
    run, other = parked(counter, "pay"), counter.start([final(summary="ok")])
    page = login(client, supporter).get(f"/runs/{run.pk}/")
    assert page.status_code == 200
    assert "run-controls" not in page.content.decode()
    assert client.get(f"/runs/{other.pk}/").status_code == 404
    assert client.post(f"/runs/{run.pk}/cancel/").status_code == 403
    assert [row.run for row in client.get("/runs/").context["rows"]] == [run]
    assert client.get(f"/api/v1/runs/{run.pk}/steps").status_code == 200


def test_seeing_runs_through_their_requests_costs_no_query_for_each(
    client: Client, login: Login, counter: Counter, supporter: User
) -> None:
    parked(counter, "pay")
    login(client, supporter)
    client.get("/api/v1/runs")
    with CaptureQueriesContext(connection) as one:
        client.get("/api/v1/runs")
    for _ in range(3):
        parked(counter, "pay")
    with CaptureQueriesContext(connection) as four:
        answer = client.get("/api/v1/runs")
    assert len(answer.json()["items"]) == 4
    assert len(four) == len(one)
