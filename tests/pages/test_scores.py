"""Scores on pages, with the practice model playing agent, verifier and further samples: what a reviewer sees."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from accounts.models import User
from agents.models import Run
from approvals.models import ApprovalRequest
from approvals.policies import load
from approvals.services.policies import current
from approvals.services.publish import publish
from audit.actors import Actor
from tests.harness.client import ApiClient
from tests.harness.looks import EVERY_VIEW, troubles_of
from tests.harness.stack import Stack

SCORES = {"tools": {"issue_refund": {"source": "verifier", "also": ["agreement"], "samples": 3}}}
CLEAR = "Please refund €42.00 for order ORD-10042, it arrived broken."
UNCLEAR = "I think order ORD-10042 broke, maybe refund about €42.00?"


@pytest.mark.timeout(300)
def test_a_reviewer_reads_scores_and_objections_beside_the_call_and_in_the_run(
    site: Stack, context_for: Callable[..., BrowserContext], operator: User, reviewer: User
) -> None:
    before = current()
    document = {**before.policy.document(), "scores": SCORES}
    publish(
        document=load(document),
        base_version=before.version,
        caller=Actor.system("test"),
        why="For a test.",
    )
    client = ApiClient(site, operator)
    runs = [Run.objects.get(pk=client.start("refund-desk", text)) for text in (CLEAR, UNCLEAR)]

    def stands() -> bool:
        return [Run.objects.get(pk=run.pk).state for run in runs] == ["succeeded", "waiting"]

    site.wait_for(stands, 60, "the clear ticket ran by itself and the unclear one waits")
    request = ApprovalRequest.objects.get(run_id=runs[1].pk, state="pending")
    found = []
    page = context_for(reviewer, site.url).new_page()
    page.goto(f"/requests/{request.pk}/?tab=team")
    said = page.locator("#request .objections")
    expect(said).to_contain_text("The wording is unsure")
    expect(said).to_contain_text("Unverified")
    scores = page.locator("#request .scores li")
    expect(scores).to_have_count(3)
    expect(scores.first).to_contain_text("Verifier")
    expect(scores.first).to_contain_text("Decides")
    expect(scores.nth(2)).to_contain_text("1 of 3 replies propose it")
    found = troubles_of(page, EVERY_VIEW)
    page.goto(f"/runs/{runs[1].pk}/")
    step = page.locator("li.step", has_text="Had a model look for objections")
    expect(step).to_contain_text("Its score is")
    opened = page.locator("li.step", has_text="Waiting for a person")
    opened.locator("summary").first.click()
    expect(opened.locator(".objections")).to_be_visible()
    assert found + troubles_of(page, EVERY_VIEW) == []
