"""Who sees evaluations and saved cases, over the API and on pages, and how two evaluations compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.models import User
from evaluations.errors import NotPlayable
from evaluations.models import Evaluation, SavedCase
from evaluations.playing import Player
from evaluations.services.begin_evaluation import resume_evaluation
from evaluations.services.finish_evaluation import finish_evaluation
from tests.evaluations.conftest import Ended
from tests.evaluations.test_playing import SUITE, written
from tests.harness.people import person
from tests.pages.run_reading import text_of

Login = Callable[[Client, User], Client]
CASE = {
    "name": "one",
    "input": "Please refund €5.00 for ORD-10001.",
    "expect": {"outcome": "done"},
}


@pytest.fixture
def two(evaluate: Callable[..., Ended], tmp_path: Path) -> tuple[Evaluation, Evaluation]:
    """Two evaluations of one suite: in the second a case fails, one is new and one is gone."""
    case = SUITE.partition("cases:\n")[2]
    other = case.replace("a lamp", "another")
    first = evaluate("refund-desk", suite=written(tmp_path, text=SUITE + other)).evaluation
    changed = SUITE.replace("amount: 38.5}", "amount: 40}") + case.replace("a lamp", "a third")
    second = evaluate("refund-desk", suite=written(tmp_path, text=changed)).evaluation
    return first, second


def test_two_evaluations_are_compared_and_only_those_who_may_see_them(
    two: tuple[Evaluation, Evaluation], client: Client, login: Login
) -> None:
    first, second = two
    page = login(client, User.objects.get(username="operator"))
    with CaptureQueriesContext(
        connection,
    ) as few:
        listed = page.get("/api/v1/evaluations?agent=refund-desk&suite=lamps").json()["items"]
    assert [each["id"] for each in listed] == [str(second.pk), str(first.pk)]
    assert (listed[0]["state"], listed[0]["passed"], listed[0]["played"]) == ("failed", 1, 2)
    assert len(few) < 12
    shown = page.get(f"/api/v1/evaluations/{second.pk}?against={first.pk}").json()
    compared = {each["name"]: (each["change"], each["rewritten"]) for each in shown["compared"]}
    assert compared == {
        "a lamp": ("worse", True),
        "a third": ("added", False),
        "another": ("gone", False),
    }
    (problem,) = shown["results"][0]["problems"]
    assert problem["code"] == "answer"
    assert "40 was expected" in problem["sentence"]

    text = text_of(page.get(f"/evaluations/{second.pk}/"))
    for words in (
        "Worse: 1",
        "New: 1",
        "before 1 of 1",
        "Not played any more",
        "says something else now",
    ):
        assert words in text
    assert f"{first.pk}" in page.get("/evaluations/").content.decode()
    assert page.get("/evaluations/?suite=none").status_code == 200
    assert page.get(f"/evaluations/{second.pk}/?against=nonsense").status_code == 404
    assert page.get(f"/evaluations/{second.pk}/?against={uuid4()}").status_code == 404

    login(client, User.objects.get(username="reviewer"))
    assert page.get("/api/v1/evaluations").json()["items"], "support owns the agent"
    assert page.get(f"/evaluations/{second.pk}/").status_code == 200
    login(client, person("stranger", "reviewer"))
    assert page.get("/api/v1/evaluations").json()["items"] == []
    for address in (f"/evaluations/{second.pk}/", f"/api/v1/evaluations/{second.pk}"):
        assert page.get(address).status_code == 404


def test_pages_speak_german(
    two: tuple[Evaluation, Evaluation], client: Client, login: Login
) -> None:
    reader = User.objects.get(username="admin")
    reader.language = "de"
    reader.save()
    page = login(client, reader)
    text = text_of(page.get(f"/evaluations/{two[1].pk}/"))
    for words in ("Schlechter: 1", "1 von 2 bestanden", "erwartet war 40", "Nicht mehr gespielt"):
        assert words in text
    assert "Gespeicherte Fälle" in text_of(page.get("/evaluations/cases/"))


def test_cases_are_kept_over_the_api_by_whoever_may(
    evaluate: Callable[..., Ended], client: Client, login: Login
) -> None:
    page = login(client, User.objects.get(username="operator"))

    def send(method: str, address: str = "", **body: Any) -> Any:
        given = {"agent": "refund-desk", "suite": "mine", "case": CASE, **body}
        return getattr(page, method)(
            f"/api/v1/evaluation-cases{address}", json.dumps(given), content_type="application/json"
        )

    made = send("post")
    assert made.status_code == 201
    address = f"/{made.json()['id']}"
    for body, status, code in (
        ({}, 409, "case_name_taken"),
        ({"agent": "nobody"}, 404, "unknown_agent"),
        ({"suite": "No Slug"}, 422, "invalid_request"),
        ({"case": {**CASE, "odd": 1}}, 422, "suite_malformed"),
        ({"case": {**CASE, "input": "[hidden: sensitive]"}}, 422, "case_hides_values"),
        ({"case": {**CASE, "input": {"a": ["[secret: bank_key]"]}}}, 422, "case_hides_values"),
        ({"case": {**CASE, "name": "two"}, "made_from": str(uuid4())}, 404, "unknown_run"),
    ):
        refused = send("post", **body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    changed = send("put", address, case={**CASE, "about": "Changed."})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert send("put", address, agent="data-steward").status_code == 404
    assert page.get(f"/api/v1/evaluation-cases{address}").json()["case"]["about"] == "Changed."
    assert len(page.get("/api/v1/evaluation-cases?suite=mine").json()["items"]) == 1

    login(client, User.objects.get(username="auditor"))
    assert page.get(f"/api/v1/evaluation-cases{address}").status_code == 200
    assert page.get(f"/evaluations/cases{address}/").status_code == 200
    for refused in (
        send("post", case={**CASE, "name": "two"}),
        send("put", address),
        page.delete(f"/api/v1/evaluation-cases{address}"),
        page.post(f"/evaluations/cases{address}/", {"suite": "mine", "document": "x: 1"}),
        page.post(f"/evaluations/cases{address}/delete/"),
    ):
        assert refused.status_code in (403, 422)
    login(client, person("stranger", "reviewer"))
    for refused in (
        page.get(f"/api/v1/evaluation-cases{address}"),
        page.get(f"/evaluations/cases{address}/"),
        page.delete(f"/api/v1/evaluation-cases{address}"),
        page.get("/evaluations/suites/refund-desk/mine.yaml"),
    ):
        assert refused.status_code == 404
    assert SavedCase.objects.count() == 1
    login(client, User.objects.get(username="reviewer"))
    assert page.delete(f"/api/v1/evaluation-cases{address}").status_code == 204


def test_whoever_lost_an_evaluation_writes_nothing_to_it(
    two: tuple[Evaluation, Evaluation],
) -> None:
    mine = two[0]
    Evaluation.objects.filter(pk=mine.pk).update(state="interrupted")
    caller = Caller.of_session(mine.started_by)
    theirs = resume_evaluation(evaluation_id=mine.pk, caller=caller, lease_seconds=60)
    assert theirs.epoch == mine.epoch + 1
    with pytest.raises(NotPlayable):
        finish_evaluation(mine)
    lost = Player(mine, caller, patience_seconds=1.0, _told_at=-10.0)
    with pytest.raises(NotPlayable):
        lost._be_alive()
    with pytest.raises(NotPlayable):
        resume_evaluation(evaluation_id=mine.pk, caller=caller, lease_seconds=60)
    assert finish_evaluation(theirs).state == "passed"
