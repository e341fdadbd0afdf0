"""The pictures of the README and the documents, made over the real product: `make pictures`.

No test: its name keeps it out of the suite. Whoever changes how pages look makes them anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from approvals.services import policies
from approvals.services.decide import decide
from approvals.services.drafts import begin_draft
from approvals.services.simulate import ask_simulation
from approvals.vocabulary import Verdict
from audit.clock import database_now
from audit.models import Event
from countersign.programs import PROJECT
from demo.agents import refund_desk
from evaluations.models import Evaluation
from insights.services.advance import advance
from tests.a_month import Month
from tests.approvals.till import verdict_on
from tests.harness.stack import Stack

PICTURES = PROJECT / "docs" / "pictures"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 780}
ContextFor = Callable[..., BrowserContext]


def running(site: Stack, operator: User, text: Any, state: str = "waiting") -> Run:
    """A run of the refund desk once it is in that state."""
    run, _ = start_run(agent="refund-desk", input=text, caller=Caller.of_session(operator))
    site.wait_for(lambda: Run.objects.filter(pk=run.pk, state=state).exists(), what=state)
    return run


def decided(site: Stack, run: Run, verdict: Verdict, reviewer: User, **body: Any) -> None:
    """What the run waits for, decided."""
    request = ApprovalRequest.objects.get(run_id=run.pk, state="pending")
    decision = verdict_on(request, verdict, **body)
    decide(request_id=request.pk, decision=decision, caller=Caller.of_session(reviewer))
    # Calls on one order stand in line: the next run asks for nothing before this one has gone on.
    site.wait_for(
        lambda: Run.objects.filter(pk=run.pk, state="succeeded").exists(), what="it went on"
    )


@pytest.mark.timeout(900)
def test_pictures(
    site: Stack,
    context_for: ContextFor,
    operator: User,
    reviewer: User,
    second_reviewer: User,
    admin: User,
    auditor: User,
) -> None:
    for who, name in (
        (operator, "Operator"),
        (reviewer, "Reviewer"),
        (second_reviewer, "Second reviewer"),
        (admin, "Admin"),
    ):
        User.objects.filter(pk=who.pk).update(display_name=name)
        who.refresh_from_db()
    texts = [example.input for example in refund_desk.examples]
    done = running(site, operator, texts[1], "succeeded")
    rejected = running(site, operator, texts[0])
    decided(site, rejected, Verdict.REJECT, reviewer, reason="The customer was paid back already.")
    approved = running(site, operator, texts[0])
    decided(site, approved, Verdict.APPROVE, reviewer)
    asking = running(site, operator, texts[3])
    waiting = running(site, operator, texts[0])
    request = ApprovalRequest.objects.get(run_id=waiting.pk, state="pending")

    @contextmanager
    def picture(name: str, who: User, path: str, scheme: str, **options: Any) -> Iterator[Page]:
        context = context_for(
            who, site.url, color_scheme=scheme, viewport=DESK, reduced_motion="reduce", **options
        )
        page = context.new_page()
        page.goto(path)
        expect(page.locator("#live-pill")).to_have_text("Live")
        yield page
        page.screenshot(path=PICTURES / f"{name}.png")
        context.close()

    with picture("inbox-light-1280", reviewer, f"/requests/{request.pk}/", "light"):
        pass
    edit = f"/requests/{request.pk}/?mode=edit"
    with picture("edit-dark-1280", reviewer, edit, "dark") as page:
        page.get_by_label(re.compile("Amount")).fill("210.00")
        page.locator("#edit-fields").evaluate("each => each.scrollIntoView({block: 'start'})")
    with picture("run-light-1280", operator, f"/runs/{waiting.pk}/", "light"):
        pass
    with picture("run-step-dark-1280", operator, f"/runs/{waiting.pk}/?step=6", "dark") as page:
        page.locator("#run-timeline").evaluate("each => each.scrollIntoView()")
    compared = f"/runs/compare/?run={approved.pk}&run={rejected.pk}&only=differences"
    with picture("compare-light-1280", operator, compared, "light") as page:
        page.locator(".pairs").evaluate("each => each.scrollIntoView()")
    with picture("simulator-light-1280", admin, simulated(site, admin), "light"):
        pass
    event = Event.objects.filter(request=request.pk, type="request.opened").get()
    with picture("audit-event-dark-1280", auditor, f"/audit/events/{event.pk}/", "dark"):
        pass
    with picture("phone-dark-390", reviewer, f"/requests/{request.pk}/", "dark") as page:
        page.set_viewport_size(PHONE)
    # Only now: what is made up holds no arguments that a policy could be tried on.
    month(operator, reviewer, second_reviewer)
    with picture("insights-light-1280", admin, "/insights/", "light"):
        pass
    site.manage("evaluate", "refund-desk", "--suite", "refund-desk")
    evaluated = f"/evaluations/{Evaluation.objects.get().pk}/"
    with picture("evaluation-light-1280", operator, evaluated, "light"):
        pass
    with picture("replay-dark-1280", operator, f"/runs/{approved.pk}/replay/", "dark"):
        pass
    with picture("fork-light-1280", operator, f"/runs/{approved.pk}/fork/", "light"):
        pass
    assert done.pk
    assert asking.pk


def month(operator: User, *people: User) -> None:
    """A month of what went before, counted."""
    Month(list(people), operator, database_now()).write()
    while advance():
        pass


def simulated(site: Stack, admin: User) -> str:
    """The address of a simulation, finished, over what ran."""
    current = policies.current()
    document = current.policy.document()
    document["rules"][0]["threshold"] = "0.60"
    caller = Caller.of_session(admin)
    draft = begin_draft(
        document=document,
        base_version=current.version,
        caller=caller,
        why="Small refunds are approved nearly always.",
    )
    until = database_now() + timedelta(seconds=1)
    simulation = ask_simulation(
        draft_id=draft.pk,
        since=until - timedelta(days=1),
        until=until,
        line="rule=small-refunds",
        caller=caller,
    )

    def is_done() -> bool:
        simulation.refresh_from_db()
        return bool(simulation.finished_at)

    site.wait_for(is_done, what="the simulation is finished")
    return f"/policies/simulations/{simulation.pk}/"
