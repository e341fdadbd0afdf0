"""A final answer that repeats what only some may see is passed on by nobody who does not see it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from accounts.services.create_token import create_token
from agents.models import Run
from approvals.errors import SensitiveHidden
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.actors import Actor
from tests.agents.conftest import Counter
from tests.agents.test_sensitive_nowhere import (
    FIRST,
    Login,
    assert_clean,
    begun,
    sends,
    trusted,
    vault,
)
from tests.model_server import call, calls

__all__ = ["trusted", "vault"]

#: The words of the answer; their call was never made.
LIE = {"summary": f"I sent it to {FIRST}.", "relies_on": ["never-made"]}
TRUTH = {"summary": "Nothing was sent."}


@pytest.fixture
def told(counter: Counter, vault: str, trusted: User) -> ApprovalRequest:
    """A false answer that repeats a sensitive argument, which waits for a person."""
    run = begun(counter, calls(sends(7)), calls(call("final_answer", LIE)))
    asked = ApprovalRequest.objects.get(run_id=run.pk)
    counter.decide(asked, Verdict.REJECT, trusted, reason="Not him.")
    return counter.request(counter.go_on(run))


def verdicts(request: ApprovalRequest) -> list[dict[str, Any]]:
    """Each verdict on it, as programs send it."""
    return [
        {
            "verdict": verdict,
            "revision": request.revision,
            "digest": request.digest,
            "shown_sha256": request.shown_sha256,
            "nonce": uuid4().hex,
            **more,
        }
        for verdict, more in (
            ("accept", {}),
            ("correct", {"output": TRUTH}),
        )
    ]


def test_who_may_not_see_it_neither_accepts_nor_corrects_it_by_page_session_or_token(
    told: ApprovalRequest, login: Login, reviewer: User
) -> None:
    made = create_token(person=reviewer, name="t", caller=Actor.system("tests"))
    bearer = Client(headers={"Authorization": f"Bearer {made.bearer}"})
    browser = login(Client(), reviewer)
    path = f"/api/v1/approvals/{told.pk}"
    for body in verdicts(told):
        for client in (bearer, browser):
            answer = client.post(f"{path}/decisions", body, content_type="application/json")
            assert (answer.status_code, answer.json()["code"]) == (403, "sensitive_hidden")
            assert_clean(answer.content, body["verdict"])
        flat = {**body, "output.summary": TRUTH["summary"]}
        flat.pop("output", None)
        page = browser.post(f"/requests/{told.pk}/decide/", flat)
        assert page.status_code == 403
        assert_clean(page.content, body["verdict"])
    for address in (path, f"/requests/{told.pk}/", f"/requests/{told.pk}/?mode=correct"):
        assert_clean(browser.get(address).content, address)
    told.refresh_from_db()
    assert (told.state, told.revision) == ("pending", 1)


def test_who_may_not_see_it_sends_it_back(
    counter: Counter, told: ApprovalRequest, reviewer: User
) -> None:
    counter.decide(told, Verdict.SEND_BACK, reviewer, reason="It was not sent.")
    told.refresh_from_db()
    assert told.state == "answered"


def test_who_may_see_it_accepts_it(
    counter: Counter, told: ApprovalRequest, reviewer: User, trusted: User
) -> None:
    with pytest.raises(SensitiveHidden):
        counter.decide(told, Verdict.ACCEPT, reviewer)
    counter.decide(told, Verdict.ACCEPT, trusted)
    run = counter.go_on(Run.objects.get(pk=told.run_id))
    assert run.output == {"summary": LIE["summary"]}
