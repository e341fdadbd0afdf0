# ruff: noqa: F811 - fixtures are imported, and taken by name
"""Speaking to a run over REST."""

from __future__ import annotations

import pytest

from accounts.models import User
from agents.models import RunMessage
from tests.agents.conftest import Counter
from tests.agents.saying import GOAL, parked
from tests.agents.test_api import NO_RUN, Api, api  # noqa: F401


def test_a_program_sends_a_message(api: Api, counter: Counter, operator: User) -> None:
    run = parked(counter)
    answer = api(operator, "post", f"runs/{run.pk}/messages", {"text": "Look at the date."})
    assert answer.status_code == 201
    assert (
        answer.json().items()
        >= {
            "run": str(run.pk),
            "kind": "message",
            "text": "Look at the date.",
            "by": "operator",
            "journalled_at": None,
        }.items()
    )


def test_a_program_changes_the_task(api: Api, counter: Counter, operator: User) -> None:
    run = parked(counter)
    answer = api(operator, "post", f"runs/{run.pk}/goal", {"text": GOAL}).json()
    assert (answer["goal"], answer["title"], answer["state"]) == (GOAL, GOAL, "ready")
    assert answer["input"] == {"text": "Please pay."}


def test_a_program_takes_over_hands_back_and_is_told_who_has_it(
    api: Api, counter: Counter, operator: User, reviewer: User
) -> None:
    run = parked(counter)
    address = f"runs/{run.pk}/take-over"
    assert api(operator, "post", address, {}).json()["taken_over_by"] == "operator"
    refused = api(reviewer, "post", address, {"reason": "I, too."})
    assert (refused.status_code, refused.json()["code"]) == (409, "run_taken_over")
    assert refused.json()["params"]["who"] == str(operator)
    counter.go_on(run)
    waits = api(operator, "get", f"runs/{run.pk}").json()["waiting_on"]
    (asked,) = [wait["approval"] for wait in waits if wait["kind"] == "hand_back"]
    request = api(operator, "get", f"approvals/{asked}").json()
    bound = {name: request[name] for name in ("revision", "digest", "shown_sha256")}
    body = {"verdict": "return", "message": "Go on.", "nonce": "nonce-of-mine", **bound}
    assert api(operator, "post", f"approvals/{asked}/decisions", body).status_code == 200
    assert api(operator, "get", f"runs/{run.pk}").json()["taken_over_by"] is None


def test_a_change_is_answered_like_one_whatever_its_token_may_read(
    api: Api, counter: Counter, operator: User, admin: User
) -> None:
    run = parked(counter)
    bodies = [("pause", {}), ("resume", {}), ("goal", {"text": GOAL})]
    for verb, body in [*bodies, ("take-over", {}), ("cancel", {})]:
        answer = api(operator, "post", f"runs/{run.pk}/{verb}", body, scopes="run")
        assert (answer.status_code, answer.json().get("id")) == (200, str(run.pk)), verb
    forked = api(operator, "post", f"runs/{run.pk}/fork", {}, scopes="run")
    assert (forked.status_code, forked.json()["forked_from"]) == (201, str(run.pk))
    version = api(admin, "get", "agents/teller").json()["installed_version"]
    for verb in ("disable", "enable", f"versions/{version}/activate"):
        answer = api(admin, "post", f"agents/teller/{verb}", {}, scopes="admin")
        assert (answer.status_code, answer.json().get("slug")) == (200, "teller"), verb
    for path in (f"runs/{run.pk}", "agents/teller"):
        assert api(admin, "get", path, scopes="run admin").json()["code"] == "scope_missing"


@pytest.mark.parametrize("what", ["messages", "goal"])
@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "  "}, {"text": "x" * 4_001}])
def test_a_text_that_does_not_fit_is_a_problem_and_says_nothing_to_the_run(
    api: Api, counter: Counter, operator: User, what: str, body: dict[str, str]
) -> None:
    run = parked(counter)
    assert api(operator, "post", f"runs/{run.pk}/{what}", body).status_code == 422
    assert not RunMessage.objects.exists()


@pytest.mark.parametrize("what", ["messages", "goal", "take-over"])
def test_nobody_speaks_to_a_run_without_the_scope_or_the_run(
    api: Api, counter: Counter, operator: User, outsider: User, what: str
) -> None:
    run = parked(counter)
    body = {"reason": "Why."} if what == "take-over" else {"text": "Hello."}
    assert api(operator, "post", f"runs/{run.pk}/{what}", body, "read").status_code == 403
    assert api(outsider, "post", f"runs/{run.pk}/{what}", body).status_code == 404
    assert api(operator, "post", f"runs/{NO_RUN}/{what}", body).status_code == 404
    assert not RunMessage.objects.exists()
