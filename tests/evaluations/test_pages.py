"""From a run that went wrong to a case that is played, in a browser; and every page of evaluations looked at."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.services.control import cancel_run
from agents.services.start_run import start_run
from evaluations.models import Evaluation, SavedCase
from tests.harness.looks import looks_at, troubles_of
from tests.harness.stack import Stack

TICKET = "One of the tablets from order ORD-10001 arrived with a broken screen. Please refund €420.00 for it."
SHOULD = """  outcome: waiting
  calls:
    in_order:
      - tool: issue_refund
        arguments:
          amount: 420
        gate: review
"""


@looks_at(
    "run-evaluation-case",
    "evaluation-case",
    "evaluation-cases",
    "evaluation-list",
    "evaluation-detail",
)
def test_a_run_that_was_cancelled_becomes_a_case_of_what_should_have_happened(
    site: Stack, page_for: Callable[..., Page], operator: User, troubles: Any
) -> None:
    caller = Caller.of_session(operator)
    run, _ = start_run(agent="refund-desk", input=TICKET, caller=caller)
    site.wait_for(lambda: Run.objects.get(pk=run.pk).state == "waiting", what="it asks")
    cancel_run(run_id=run.pk, reason="Wrong.", caller=caller)

    page = page_for(operator)
    page.goto(f"{site.url}/runs/{run.pk}/")
    page.click("#run-case")
    expect(page.locator("main .banner")).to_contain_text("should have happened")
    found = troubles_of(page)
    field = page.get_by_label("Case")
    text = field.input_value()
    assert "outcome: done" in text
    scenario = text.partition("expect:\n")[0].replace(
        "tools:", "people:\n  - {on: issue_refund, decide: wait}\ntools:"
    )
    field.fill(f"{scenario}expect:\n{SHOULD.replace('waiting', 'parked')}")
    troubles.expect("422")
    page.get_by_role("button", name="Save the case").click()
    expect(page.locator(".error")).to_contain_text(re.compile(r"line \d+, expect.outcome"))
    field.fill(f"{scenario}expect:\n{SHOULD}")
    page.get_by_role("button", name="Save the case").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    found += troubles_of(page)
    assert SavedCase.objects.get().made_from_id == run.pk

    said = site.manage("evaluate", "refund-desk", "--suite", "refund-desk-cases")
    assert "1 of 1 passed" in said
    evaluation = Evaluation.objects.get()
    page.goto(f"{site.url}/agents/refund-desk/")
    page.get_by_role("link", name="Its evaluations").click()
    found += troubles_of(page)
    page.locator(f"#evaluation-{evaluation.pk} a").click()
    expect(page.locator("h1")).to_have_text("refund-desk-cases")
    expect(page.locator(".lead").first).to_contain_text("1 of 1 passed")
    found += troubles_of(page)
    page.goto(f"{site.url}/evaluations/cases/")
    found += troubles_of(page)
    assert found == []
