"""A case made from a run: on its page and over the API, without what may not be kept, and played again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.runner import advance
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from approvals.services.decide import decide
from audit.models import Event
from evaluations.models import SavedCase
from tests.approvals.till import verdict_on
from tests.evaluations.conftest import Ended

TICKET = "One of the tablets from order ORD-10001 arrived with a broken screen. Please refund €420.00 for it."


def person(name: str) -> User:
    return User.objects.get(username=name)


@pytest.fixture
def rejected(evaluate: Callable[..., Ended]) -> Run:
    """A real run of refund-desk whose refund was rejected."""
    operator = Caller.of_session(person("operator"))
    run, _ = start_run(agent="refund-desk", input=TICKET, caller=operator)
    advance(run.pk, owner="test", stopping=lambda: False)
    request = ApprovalRequest.objects.get(run_id=run.pk)
    decide(
        request_id=request.pk,
        decision=verdict_on(request, "reject", reason="Not broken."),
        caller=Caller.of_session(person("reviewer")),
    )
    advance(run.pk, owner="test", stopping=lambda: False)
    return Run.objects.get(pk=run.pk)


def test_the_case_of_a_run_is_saved_in_one_click_and_passes_when_it_is_played(
    rejected: Run, evaluate: Callable[..., Ended], client: Client, login: Any
) -> None:
    page = login(client, person("operator"))
    address = f"/runs/{rejected.pk}/evaluation-case/"
    assert f'href="{address}"' in page.get(f"/runs/{rejected.pk}/").content.decode()
    form = page.get(address).context["form"]
    text = form.initial["document"]
    assert "decide: reject" in text
    assert "reason: Not broken." in text
    assert "gate: review" in text
    assert "ended: refused" in text
    sent = page.post(address, {"suite": form.initial["suite"], "document": text})
    saved = SavedCase.objects.get()
    assert sent["Location"] == f"/evaluations/cases/{saved.pk}/"
    assert (saved.made_from, saved.suite) == (rejected, "refund-desk-cases")
    event = Event.objects.get(type="evaluation.case_saved")
    assert event.actor_id == str(person("operator").pk)

    ended = evaluate("refund-desk", suite="refund-desk-cases")
    assert ended.code == 0, ended.said
    exported = page.get("/evaluations/suites/refund-desk/refund-desk-cases.yaml")
    assert b"suite: refund-desk-cases" in exported.content

    again = page.post(address, {"suite": form.initial["suite"], "document": text})
    assert again.status_code == 422
    assert "already" in again.content.decode()
    page.post(f"/evaluations/cases/{saved.pk}/delete/")
    assert not SavedCase.objects.exists()
    assert Event.objects.filter(type="evaluation.case_deleted").count() == 1
