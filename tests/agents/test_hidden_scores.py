"""A score that is secret stands nowhere until a person decided: no signal, no objection, no state, no count."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import User
from agents.masking import mask_for
from agents.models import Run, Step
from agents.representations import step_as_json
from agents.services.fork_run import Wish, fork_run
from agents.simulation_errors import ForkHidden
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.models import Event
from tests.agents.conftest import Counter
from tests.agents.scoring import Cast, review, score_by
from tests.agents.test_prices import price
from tests.agents.test_scores import pay, stopped_after
from tests.harness.people import person
from tests.model_server import Answer, completion, error

ALL = {"source": "verifier", "also": ["agreement", "log_probability"], "samples": 3}
OBJECTION = "PLANTED: nobody knows this account."
ANY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MARKS = ("PLANTED", "3141", "6666", "8765", "7777")
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
Read = Callable[[Run], Iterator[tuple[str, str]]]


def stands_in(mark: str, text: str) -> bool:
    """Whether it stands there, and not by chance within a digest, a moment, a page's token or an id."""
    return re.search(rf"(?<![0-9A-Za-z]){mark}(?![0-9A-Za-z])", ANY_ID.sub("", text)) is not None


def telling(answer: Answer) -> Answer:
    """The same reply with a number of tokens of its own."""
    body = json.loads(answer.body)
    usage = {"prompt_tokens": 100, "completion_tokens": 7_777, "total_tokens": 7_877}
    return completion(body["choices"][0]["message"], usage=usage)


def cast() -> Cast:
    return Cast(
        [pay(confidence=0.8765)],
        [telling(review(0.3141, OBJECTION))],
        [pay(), pay(account="B2")],
    )


@pytest.fixture
def hidden(settings: Settings) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"hidden_score_rate": 1.0})


@pytest.fixture
def everybody(operator: User, reviewer: User) -> list[User]:
    """Who may look: the initiator, a reviewer, an auditor, an admin, a superuser."""
    root = person("root", "admin", "auditor", "sensitive-reader")
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    return [
        operator,
        reviewer,
        person("watcher", "auditor", "sensitive-reader"),
        person("boss", "admin", "sensitive-reader"),
        User.objects.get(pk=root.pk),
    ]


@pytest.fixture
def read(everybody: list[User]) -> Read:
    """Everything that anybody can read of a run and its requests, by page and API; and the log."""

    def all_of(run: Run) -> Iterator[tuple[str, str]]:
        requests = list(ApprovalRequest.objects.filter(run_id=run.pk))
        seqs = list(Step.objects.filter(run=run).values_list("seq", flat=True))
        paths = [
            *(f"/runs/{run.pk}/{more}" for more in ("", "steps/")),
            *(f"/runs/{run.pk}/steps/{seq}/" for seq in seqs),
            *("/inbox/", "/inbox/rows/", "/runs/", "/audit/", "/api/v1/audit/events"),
            *("/api/v1/runs", f"/api/v1/runs/{run.pk}", f"/api/v1/runs/{run.pk}/steps"),
            "/api/v1/approvals",
            *(f"/requests/{request.pk}/" for request in requests),
            *(f"/api/v1/approvals/{request.pk}" for request in requests),
        ]
        for user in everybody:
            client = Client()
            client.force_login(user, backend=BACKEND)
            for path in paths:
                for headers in ({}, {"HX-Request": "true"}):
                    answer = client.get(path, headers=headers)
                    yield f"{user} {path}", answer.content.decode()
        for event in Event.objects.all():
            yield f"event {event.type}", bytes(event.body).decode()

    return all_of


def assert_nothing_told(read: Read, run: Run) -> None:
    told = [
        (where, mark)
        for where, text in read(run)
        for mark in MARKS
        # An id is made of the time, and any four digits come up in it once a minute.
        if stands_in(mark, ANY_ID.sub("", text))
    ]
    assert told == []


def test_a_secret_score_and_what_it_is_made_of_stand_nowhere_before_the_verdict(
    counter: Counter, hidden: None, read: Read
) -> None:
    score_by(ALL)
    run = counter.start(cast())
    request = counter.request(run)
    assert (run.state, request.score_visible) == ("waiting", False)
    assert request.signals == {"self_reported": 8_765, "verifier": 3_141, "agreement": 6_666}
    assert_nothing_told(read, run)


def test_while_a_score_is_secret_the_run_is_forked_from_no_step(
    counter: Counter, hidden: None, everybody: list[User], reviewer: User
) -> None:
    score_by(ALL)
    run = counter.start(cast())
    starts, request = Caller.of_session(everybody[0]), counter.request(run)
    for step in (0, None):
        with pytest.raises(ForkHidden) as refused:
            fork_run(run_id=run.pk, wish=Wish(step=step), caller=starts)
        assert refused.value.params == {"what": "score"}
    counter.decide(request, Verdict.STOP, reviewer, reason="No.")
    counter.go_on(run)
    fork, _ = fork_run(run_id=run.pk, wish=Wish(step=0), caller=starts)
    assert fork.forked_from_id == run.pk


@pytest.mark.parametrize("asked", [1, 2, 3, 4])
def test_scores_stand_nowhere_while_they_are_gathered_and_nobody_knows_yet_whether_they_are_secret(
    counter: Counter, read: Read, asked: int
) -> None:
    score_by(ALL)
    run = stopped_after(counter, cast(), asked)
    assert Step.objects.get(run=run, name="pay").state == "unjudged"
    assert_nothing_told(read, run)


def test_after_the_verdict_scores_and_objections_are_told(
    counter: Counter, hidden: None, read: Read, reviewer: User
) -> None:
    score_by(ALL)
    run = counter.start(cast())
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    run = counter.go_on(run)
    told = "".join(text for where, text in read(run) if where.startswith(f"{reviewer} "))
    assert all(stands_in(mark, told) for mark in MARKS)
    assert "Objections of a second model" in told


def scored_alike(run: Run, user: User) -> list[Any]:
    """What the API tells of a run's steps, without ids, moments and what was sent."""
    client = Client()
    client.force_login(user, backend=BACKEND)
    steps = client.get(f"/api/v1/runs/{run.pk}/steps").json()["items"]
    moving = {"started_at", "finished_at", "input_digest", "approval", "call_id"}
    return [{name: value for name, value in step.items() if name not in moving} for step in steps]


def test_while_secret_a_good_score_a_bad_one_and_none_at_all_look_alike(
    counter: Counter, hidden: None, everybody: list[User], settings: Settings
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_attempts": 1})
    # A rule that reviews, so that all of them wait.
    document = {"rules": [{"name": "all", "when": {}, "effect": "review"}]}
    score_by({"source": "verifier"}, **document)
    runs = [
        counter.start(Cast([pay(confidence=sure)], [answer]))
        for sure, answer in (
            (0.9, review(1)),
            (0.1, telling(review(0, OBJECTION, "Another."))),
            (0.9, error(500)),
            (0.9, review("none")),
        )
    ]
    assert {run.state for run in runs} == {"waiting"}
    for user in everybody:
        first, *others = [scored_alike(run, user) for run in runs]
        for other in others:
            assert other == first, user
    events = [
        [
            {
                name: value
                for name, value in json.loads(bytes(body)).items()
                if name in ("type", "facts", "outcome")
            }
            for body in Event.objects.filter(run=run.pk)
            .order_by("stream", "seq")
            .values_list("body", flat=True)
        ]
        for run in runs
    ]
    for told in events:
        for event in told:
            event.get("facts", {}).pop("review_deadline", None)
    assert all(told == events[0] for told in events)


def test_a_sample_keeps_its_scores_secret_too(
    counter: Counter, read: Read, settings: Settings
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"audit_rate": 1.0})
    score_by({"source": "self_reported", "also": ["verifier"]})
    run = counter.start(Cast([pay(confidence=0.8765)], [review(0.3141, OBJECTION)]))
    request = counter.request(run)
    assert (request.is_sample, request.score_visible) == (True, False)
    assert_nothing_told(read, run)


def test_scores_whose_call_stands_on_an_earlier_page_are_hidden_there() -> None:
    score = Step(seq=7, kind="score", name="verifier", state="succeeded", output={"score_bp": 1})
    asked = Step(seq=8, kind="model", state="succeeded")
    mask = mask_for([score, asked])
    assert step_as_json(score, mask)["output"] == "hidden until decided"
    reply = Step(seq=5, kind="model", state="succeeded")
    settled = Step(seq=6, kind="tool", name="pay", state="succeeded")
    whole = mask_for([reply, settled, score, asked])
    assert step_as_json(score, whole)["output"] == {"score_bp": 1}


def usage_read(run: Run, user: User) -> dict[str, int]:
    client = Client()
    client.force_login(user, backend=BACKEND)
    usage = client.get(f"/api/v1/runs/{run.pk}").json()["usage"]
    return {name: usage[name] for name in ("tokens_in", "tokens_out", "cost_micros")}


def test_totals_do_not_tell_how_long_the_objections_to_a_call_are(
    counter: Counter, hidden: None, everybody: list[User], reviewer: User
) -> None:
    price(everybody[3])
    # Reviewed either way, so that both wait.
    document = {"rules": [{"name": "all", "when": {}, "effect": "review"}]}
    score_by({"source": "verifier"}, **document)
    good, bad = (
        counter.start(Cast([pay(confidence=0.9)], [answer]))
        for answer in (review(1), telling(review(0, OBJECTION)))
    )
    assert bad.tokens_out > good.tokens_out + 7_000
    for user in everybody:
        assert usage_read(bad, user) == usage_read(good, user)
        client = Client()
        client.force_login(user, backend=BACKEND)
        pages = (f"/runs/{bad.pk}/", "/runs/")
        shown = "".join(client.get(page).content.decode() for page in pages)
        assert f"{bad.tokens_out:,}" not in shown
        assert f"{bad.tokens_in + bad.tokens_out:,}" not in shown
    counter.decide(counter.request(bad), Verdict.REJECT, reviewer, reason="No.")
    bad = counter.go_on(bad)
    assert (bad.state, usage_read(bad, reviewer)["tokens_out"]) == ("succeeded", bad.tokens_out)
    assert usage_read(bad, reviewer)["cost_micros"] == bad.cost_micros
