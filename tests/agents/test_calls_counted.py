"""What the gate is told of earlier calls: of this version, and of the last hour whatever the version."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import User
from agents import registry
from agents.gating import gate_context
from agents.models import AgentVersion, EffectRecord, Run, Step
from approvals.vocabulary import Verdict
from audit.clock import database_now
from tests.agents.conftest import Counter
from tests.agents.test_fork import STORY

pytestmark = pytest.mark.django_db


def told(run: Run, name: str) -> tuple[bool, int]:
    """Whether it would be the first use, and the calls of the last hour."""
    agent = registry.find("teller")
    tool = agent and agent.tool(name)
    assert agent is not None
    assert tool is not None
    context = gate_context(run, agent, tool, (), database_now())
    return context.first_use, context.calls_last_hour


def test_a_later_version_has_used_nothing_yet_and_its_agents_calls_of_the_hour_count(
    counter: Counter, reviewer: User
) -> None:
    run = counter.start(STORY)
    assert told(run, "pay") == (True, 0)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    counter.go_on(run)
    row = Run.objects.select_related("agent", "agent_version").get(pk=run.pk)
    assert told(row, "pay") == (False, 1)
    row.agent_version = AgentVersion.objects.create(
        digest="sha256:" + "ab" * 32,
        slug=row.agent.slug,
        definition=row.agent_version.definition,
        first_seen_at=database_now(),
    )
    assert told(row, "pay") == (True, 1)
    long_ago = database_now() - timedelta(minutes=61)
    paid = Step.objects.filter(run=run, name="pay")
    paid.update(started_at=long_ago)
    assert told(row, "pay") == (True, 1), "it waited for a person, and was sent a moment ago"
    paid.update(finished_at=long_ago)
    assert told(row, "pay") == (True, 0)
    # Sent, and not answered yet.
    paid.update(state="dispatched", finished_at=None)
    assert told(row, "pay") == (True, 1)
    EffectRecord.objects.filter(step__in=paid).update(dispatched_at=long_ago)
    assert told(row, "pay") == (True, 0)


def test_whoever_writes_a_step_the_database_says_which_version_called(
    counter: Counter, reviewer: User
) -> None:
    run = counter.start(STORY)
    step = Step.objects.get(run=run, name="pay")
    assert step.agent_version_id == run.agent_version_id
    step.agent_version_id = None
    step.save()
    step.refresh_from_db()
    assert step.agent_version_id == run.agent_version_id
    assert not Step.objects.filter(run=run, kind="model", agent_version_id__isnull=False).exists()
