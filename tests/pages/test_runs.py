# ruff: noqa: F811 - fixtures are imported, and taken by name
"""The list of runs, starting one, and what operators do to one, through the pages."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Membership, ReviewGroup, User
from agents.models import Run
from agents.services.operate_agent import disable_agent
from approvals.models import RequestGroup
from demo.agents import refund_desk
from tests.agents.bank import Bank
from tests.agents.conftest import TEST
from tests.harness.people import person
from tests.model_server import call, calls, final
from tests.pages.run_fixtures import PAY, Counter, Login, desk, host, steady  # noqa: F401
from tests.pages.run_reading import text_of

DAY = timedelta(days=1)
BODY = {"agent": "teller", "text": "Please pay the rent."}


@pytest.fixture
def shop_desk(support: ReviewGroup) -> None:
    """The demo's refund desk, hosted and active."""
    host(refund_desk)


def paying(counter: Counter, text: str = "Please pay.") -> Run:
    """A run that waits for a decision on a payment."""
    return counter.start([calls(call("pay", PAY)), final(summary="Paid.")], text)


# -- doors ----------------------------------------------------------------------------------------


def addresses(run: Run) -> list[str]:
    return ["/runs/", *(f"/runs/{run.pk}/{rest}" for rest in ("", "steps/", "steps/1/"))]


def test_a_visitor_is_sent_to_sign_in(client: Client, counter: Counter) -> None:
    run = paying(counter)
    for path in addresses(run):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (
            302,
            "/accounts/login/",
        )
    for name in ("start", f"{run.pk}/cancel", f"{run.pk}/pause", f"{run.pk}/resume"):
        assert client.post(f"/runs/{name}/", BODY).status_code == 302
    run.refresh_from_db()
    assert (run.state, run.paused_at, Run.objects.count()) == ("waiting", None, 1)


def test_an_outsider_sees_no_run_and_does_nothing_to_one(
    client: Client, login: Login, outsider: User, counter: Counter
) -> None:
    run = paying(counter)
    login(client, outsider)
    page = client.get("/runs/")
    assert "No runs yet" in text_of(page)
    assert b'id="start"' not in page.content
    assert [client.get(path).status_code for path in addresses(run)[1:]] == [404, 404, 404]
    assert client.post("/runs/start/", BODY).status_code == 403
    for name in ("cancel", "pause", "resume"):
        assert client.post(f"/runs/{run.pk}/{name}/").status_code == 404
    run.refresh_from_db()
    assert (run.state, run.paused_at, Run.objects.count()) == ("waiting", None, 1)


def test_a_run_that_does_not_exist_is_not_there(desk: Client) -> None:
    assert desk.get(f"/runs/{uuid4()}/").status_code == 404
    assert desk.post(f"/runs/{uuid4()}/cancel/").status_code == 404


def test_a_reviewer_sees_the_runs_of_their_groups_agents_and_cannot_start_any(
    client: Client, login: Login, counter: Counter, reviewer: User, bank: Bank
) -> None:
    run = paying(counter)
    login(client, reviewer)
    assert "Please pay." in text_of(client.get("/runs/"))
    assert client.get(f"/runs/{run.pk}/").status_code == 200
    assert client.post("/runs/start/", BODY).status_code == 403
    stranger = person("stranger", "reviewer", groups=())
    login(client, stranger)
    assert "No runs yet" in text_of(client.get("/runs/"))


def test_an_auditor_reads_every_run_and_changes_none(
    client: Client, login: Login, counter: Counter, auditor: User
) -> None:
    run = paying(counter)
    login(client, auditor)
    page = client.get(f"/runs/{run.pk}/")
    assert b"/cancel/" not in page.content
    assert "Its story in the audit log" in text_of(page)
    assert client.post(f"/runs/{run.pk}/cancel/").status_code == 403
    run.refresh_from_db()
    assert run.state == "waiting"


# -- starting -------------------------------------------------------------------------------------


def test_a_run_is_started_in_ones_own_words(desk: Client, bank: Bank, operator: User) -> None:
    answer = desk.post("/runs/start/", BODY)
    run = Run.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/runs/{run.pk}/")
    assert (run.input, run.initiator, run.state) == (
        {"text": "Please pay the rent."},
        operator,
        "queued",
    )


def test_lines_that_a_browser_sends_end_as_those_sent_over_the_api_do(
    desk: Client, bank: Bank
) -> None:
    given = {"agent": "teller", "text": "Pay A1.\r\nThen A2.\rNo.", "key": uuid4().hex}
    page = desk.post("/runs/start/", given, follow=True).content.decode()
    # A carriage return by itself is no line's end, and is marked.
    assert Run.objects.get().input == {"text": "Pay A1.\nThen A2.\rNo."}
    assert "Pay A1.\nThen A2.<" in page


def test_a_form_that_is_sent_twice_starts_one_run(desk: Client, bank: Bank) -> None:
    form = desk.get("/runs/").context["form"]
    body = {**BODY, "key": form["key"].value()}
    first, second = desk.post("/runs/start/", body), desk.post("/runs/start/", body)
    assert first.headers["Location"] == second.headers["Location"]
    page = desk.get(second.headers["Location"])
    assert "started before" in " ".join(str(message) for message in page.context["messages"])
    changed = desk.post("/runs/start/", {**body, "text": "Please pay the power."})
    assert changed.headers["Location"] != first.headers["Location"]
    assert Run.objects.count() == 2


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"text": "   "}, "text", "This field is required."),
        ({"text": "x" * 20_001}, "text", "at most 20000 characters"),
        ({"agent": "nobody"}, "agent", "This agent cannot be started now."),
        ({"agent": ""}, "agent", "This field is required."),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    desk: Client, bank: Bank, change: dict[str, str], field: str, sentence: str
) -> None:
    answer = desk.post("/runs/start/", {**BODY, **change})
    assert answer.status_code == 422
    assert sentence in " ".join(answer.context["form"].errors[field])
    assert sentence in text_of(answer)
    assert f'aria-describedby="id_{field}_error"' in answer.content.decode()
    assert not Run.objects.exists()


def test_what_the_agent_does_not_take_stands_at_the_text(desk: Client, shop_desk: None) -> None:
    answer = desk.post("/runs/start/", {"agent": "refund-desk", "text": "y" * 10_001})
    assert answer.status_code == 422
    assert "at most 10000 characters" in " ".join(answer.context["form"].errors["text"])


def test_an_example_fills_the_form_without_a_script(desk: Client, shop_desk: None) -> None:
    page = desk.get("/runs/")
    link = '/runs/?start=refund-desk&amp;example=2#start"'
    assert link in page.content.decode()
    filled = desk.get("/runs/?start=refund-desk&example=2").context["form"]
    assert filled["agent"].value() == "refund-desk"
    assert filled["text"].value().startswith("A desk lamp from order ORD-10002")
    assert desk.get("/runs/").context["form"].fields["text"].label == "Ticket"


@pytest.mark.parametrize(
    "query", ["start=nobody&example=1", "start=refund-desk&example=99", "example=x"]
)
def test_an_example_that_is_not_there_leaves_the_form_empty(
    desk: Client, shop_desk: None, query: str
) -> None:
    form = desk.get(f"/runs/?{query}").context["form"]
    assert not form["text"].value()


def test_a_switched_off_agent_is_not_offered_and_not_started(desk: Client, bank: Bank) -> None:
    disable_agent(slug="teller", reason="Tests.", caller=TEST)
    page = desk.get("/runs/")
    assert "teller" not in dict(page.context["form"].fields["agent"].choices)
    assert "Teller" in text_of(page)[text_of(page).index("Not offered") :]
    answer = desk.post("/runs/start/", BODY)
    assert answer.context["form"].errors["agent"] == ["This agent cannot be started now."]
    assert not Run.objects.exists()


def test_the_address_of_the_form_leads_back_to_the_list(desk: Client, bank: Bank) -> None:
    assert desk.get("/runs/start/").headers["Location"] == "/runs/"


# -- the list -------------------------------------------------------------------------------------


def test_a_row_says_what_the_run_waits_for_and_leads_there(desk: Client, counter: Counter) -> None:
    run = paying(counter)
    page = desk.get("/runs/")
    (row,) = page.context["rows"]
    assert (row.state, row.tokens) == ("Waiting for a person", run.tokens_in + run.tokens_out)
    (wait,) = row.waits
    assert wait.words == "Pay €42.00 to A1"
    assert f"/{counter.request(run).pk}/" in page.content.decode()


def test_a_request_that_one_may_not_open_is_named_without_its_content(
    client: Client, login: Login, counter: Counter
) -> None:
    paying(counter)
    other = person("second-operator", "operator")
    page = login(client, other).get("/runs/")
    (wait,) = page.context["rows"][0].waits
    assert wait.words == "A decision on: pay"
    assert not wait.request.may_open
    assert "€42.00" not in text_of(page)


def test_filters_stand_in_the_address(desk: Client, counter: Counter, shop_desk: None) -> None:
    waiting = paying(counter)
    done = counter.start([final(summary="Nothing to do.")])
    desk.post("/runs/start/", {"agent": "refund-desk", "text": "A ticket."})

    def shown(query: str) -> set[object]:
        return {row.run.pk for row in desk.get(f"/runs/?{query}").context["rows"]}

    assert shown("state=waiting") == {waiting.pk}
    assert shown("state=succeeded") == {done.pk}
    assert shown("agent=teller") == {waiting.pk, done.pk}
    assert shown("agent=teller&state=open") == {waiting.pk}
    assert len(shown("")) == 3
    assert "No run fits these filters" in text_of(desk.get("/runs/?state=failed"))


def test_runs_are_found_by_person_days_and_words(
    desk: Client, counter: Counter, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rent = paying(counter, "Please pay the rent.")
    wages = paying(counter, "Please pay the wages.")
    other = person("Second-Operator", "operator")
    Run.objects.filter(pk=wages.pk).update(initiator=other, created_at=rent.created_at - 5 * DAY)
    today = timezone.localdate(rent.created_at)

    def shown(query: str) -> set[object]:
        answer = desk.get(f"/runs/?{query}")
        assert answer.status_code == 200, query
        return {row.run.pk for row in answer.context["rows"]}

    assert shown("person=second-op") == {wages.pk}
    assert shown("person=nobody") == set()
    assert shown(f"since={today}") == {rent.pk}
    assert shown(f"until={today - 2 * DAY}") == {wages.pk}
    assert shown(f"since={today - 9 * DAY}&until={today}") == {rent.pk, wages.pk}
    assert shown("q=RENT+please") == {rent.pk}
    assert shown("q=teller") == {rent.pk, wages.pk}
    assert shown("q=wages&person=second") == {wages.pk}
    # Of more runs than are looked through, the newest; and the page says since when.
    monkeypatch.setattr("agents.run_filters.MOST_READ", 1)
    assert shown("q=pay") == {rent.pk, wages.pk}
    monkeypatch.setattr("agents.run_filters.MOST_READ", 0)
    assert shown("q=pay") == {rent.pk}
    assert "For older ones, say up to which day" in text_of(desk.get("/runs/?q=pay"))
    assert shown(f"q=pay&until={today - 2 * DAY}") == {wages.pk}


def test_of_somebody_elses_runs_so_many_are_looked_through_for_a_visible_request(
    client: Client,
    login: Login,
    counter: Counter,
    reviewer: User,
    operator: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = paying(counter), paying(counter)
    quiet = counter.start([final(summary="Nothing to do.")])
    Membership.objects.filter(user=reviewer).delete()
    other = ReviewGroup.objects.create(slug="others", title="Others")
    Membership.objects.create(user=reviewer, group=other)
    for run in (first, second):
        RequestGroup.objects.create(request=counter.request(run), group=other)
    page = login(client, reviewer)

    def shown(query: str) -> set[object]:
        answer = page.get(f"/runs/?{query}")
        assert ("For older ones, say" in text_of(answer)) is said
        return {row.run.pk for row in answer.context["rows"]}

    seen = {run.pk for run in Run.objects.visible_to(reviewer)}
    said = False
    for query in ("", "agent=teller", f"person={operator.username}"):
        assert shown(query) == seen == {first.pk, second.pk}
    assert shown("person=nobody") == set()
    monkeypatch.setattr("agents.run_filters.MOST_ASKED", 2)
    said = True
    for query in ("agent=teller", f"person={operator.username}", "agent=teller&q=pay"):
        assert shown(query) == {second.pk}, (query, quiet)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("since=yesterday", "Enter a valid date."),
        ("since=2026-01-02&until=2026-01-01", "This day is before the first one."),
        ("until=0001-01-01", "No run is from then."),
        ("since=9999-12-31", "No run is from then."),
        (f"q={'x' * 201}", "at most 200 characters"),
    ],
)
def test_a_day_or_word_that_cannot_be_is_said_so(desk: Client, query: str, says: str) -> None:
    answer = desk.get(f"/runs/?{query}")
    assert answer.status_code == 422
    assert says in text_of(answer)


def test_a_filter_that_does_not_exist_is_said_so(desk: Client, bank: Bank) -> None:
    answer = desk.get("/runs/?state=dreaming")
    assert answer.status_code == 422
    assert "dreaming is not one of the available choices" in text_of(answer)


def test_pages_follow_each_other_without_gaps(
    desk: Client, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.views.runs.RUNS_PER_PAGE", 2)
    for number in range(5):
        desk.post("/runs/start/", {**BODY, "text": f"Task {number}"})
    seen, url = [], "/runs/?agent=teller"
    while url:
        page = desk.get(url)
        seen += [row.run.title for row in page.context["rows"]]
        url = page.context["next_url"]
    assert seen == [f"Task {number}" for number in (4, 3, 2, 1, 0)]
    assert desk.get("/runs/?cursor=nonsense").headers["Location"] == "/runs/"


def test_a_page_that_looks_again_gets_the_rows_alone(desk: Client, counter: Counter) -> None:
    paying(counter)
    answer = desk.get("/runs/?state=waiting", headers={"HX-Request": "true"})
    markup = answer.content.decode()
    assert markup.startswith('<div id="runs"')
    assert "Please pay." in markup
    assert "<html" not in markup
    assert "HX-Request" in answer.headers["Vary"]


def test_many_runs_take_no_more_queries_than_one(desk: Client, counter: Counter) -> None:
    paying(counter, "Pay one.")
    desk.get("/runs/")
    with CaptureQueriesContext(connection) as one:
        desk.get("/runs/")
    for number in range(6):
        paying(counter, f"Pay {number}.")
    with CaptureQueriesContext(connection) as seven:
        page = desk.get("/runs/")
    assert len(page.context["rows"]) == 7
    assert len(seven) == len(one) <= 20


# -- controls -------------------------------------------------------------------------------------


def test_a_run_is_cancelled_with_a_reason_and_what_it_asked_for_is_withdrawn(
    desk: Client, counter: Counter, bank: Bank
) -> None:
    run = paying(counter)
    request = counter.request(run)
    answer = desk.post(f"/runs/{run.pk}/cancel/", {"reason": "The rent is paid already."})
    assert answer.headers["Location"] == f"/runs/{run.pk}/"
    page = desk.get(f"/runs/{run.pk}/")
    assert page.context["run"].state == "cancelled"
    assert "The rent is paid already." in text_of(page)
    assert b"/cancel/" not in page.content
    request.refresh_from_db()
    assert (request.state, bank.sent) == ("cancelled", [])


def test_a_paused_run_says_so_and_is_resumed(desk: Client, counter: Counter) -> None:
    run = paying(counter)
    desk.post(f"/runs/{run.pk}/pause/", {"reason": "Looking."})
    page = desk.get(f"/runs/{run.pk}/")
    assert (page.context["state"], page.context["run"].paused_at is None) == ("Paused", False)
    assert "Paused: no worker takes it up until it is resumed." in text_of(page)
    assert "Pay €42.00 to A1" in text_of(page)
    desk.post(f"/runs/{run.pk}/resume/")
    page = desk.get(f"/runs/{run.pk}/")
    assert page.context["state"] == "Waiting for a person"


def test_what_cannot_be_done_any_more_is_said_on_the_page(desk: Client, counter: Counter) -> None:
    run = counter.start([final(summary="Done.")])
    for name in ("cancel", "pause", "resume"):
        answer = desk.post(f"/runs/{run.pk}/{name}/", follow=True)
        assert [str(message) for message in answer.context["messages"]] == [
            "The run has already succeeded."
        ]


def test_a_reason_that_is_too_long_changes_nothing(desk: Client, counter: Counter) -> None:
    run = paying(counter)
    answer = desk.post(f"/runs/{run.pk}/cancel/", {"reason": "x" * 2_001}, follow=True)
    assert "at most 2000 characters" in str(next(iter(answer.context["messages"])))
    assert Run.objects.get(pk=run.pk).state == "waiting"


def test_a_reviewer_controls_the_runs_of_their_own_groups_agents_only(
    client: Client, login: Login, counter: Counter, reviewer: User, support: ReviewGroup
) -> None:
    run = paying(counter)
    page = login(client, reviewer).get(f"/runs/{run.pk}/")
    assert f"/runs/{run.pk}/cancel/".encode() in page.content
    other = person("supporter", "reviewer", groups=(support,))
    assert login(client, other).post(f"/runs/{run.pk}/cancel/").status_code == 404


def test_a_get_controls_nothing(desk: Client, counter: Counter) -> None:
    run = paying(counter)
    for name in ("cancel", "pause", "resume"):
        assert desk.get(f"/runs/{run.pk}/{name}/").status_code == 405
    assert Run.objects.get(pk=run.pk).state == "waiting"
