"""Writes whose SQL is made once do what Django's own do."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.functions import Now

from accounts.models import ReviewGroup, User
from agents.models import AgentVersion, HostedAgent, OfferedTools, Run
from audit.writes import insert, update

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(operator: User, finance: object) -> Run:
    """A row with text, numbers, moments, JSON, a choice, a key of another table, and nulls."""
    version = AgentVersion.objects.create(
        digest="sha256:0", slug="a", definition={}, first_seen_at=datetime.now(UTC)
    )
    agent = HostedAgent.objects.create(
        slug="a", title="A", category="bounded", owner_group=finance, active_version=version
    )
    return Run(
        agent=agent,
        agent_version=version,
        initiator=operator,
        input={"text": "é\u2028", "list": [1, None, True]},
        input_digest="sha256:1",
        title="T",
        created_at=datetime.now(UTC),
    )


def test_an_inserted_row_reads_back_as_it_was(run: Run) -> None:
    insert(run)
    read = Run.objects.get(pk=run.pk)
    for field in Run._meta.concrete_fields:
        assert getattr(read, field.attname) == getattr(run, field.attname), field.name
    assert not run._state.adding


def test_an_update_lands_where_its_conditions_hold_and_nowhere_else(run: Run) -> None:
    insert(run)
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    changes = {"title": "U", "output": {"a": [1]}, "wake_at": moment, "failure": None}
    where = {"pk": run.pk, "state__in": ["queued", "ready"]}
    assert update(Run, where, {**changes, "version": F("version") + 3}) == 1
    read = Run.objects.get(pk=run.pk)
    assert (read.title, read.output, read.wake_at, read.version) == ("U", {"a": [1]}, moment, 4)
    assert update(Run, {**where, "state__in": ["running"]}, {"title": "V"}) == 0
    assert update(Run, {"pk": uuid4()}, {"title": "V"}) == 0
    assert Run.objects.get(pk=run.pk).title == "U"


@pytest.mark.parametrize("value", [Now(), F("epoch"), F("epoch") - Value(1)])
def test_an_expression_that_is_no_sum_is_refused(value: object, run: Run) -> None:
    insert(run)
    with pytest.raises(TypeError, match="added"):
        update(Run, {"pk": run.pk}, {"version": value})


def test_a_row_that_the_database_numbers_is_inserted_too() -> None:
    insert(ReviewGroup(slug="payments", title="Payments"))
    assert ReviewGroup.objects.get(slug="payments").pk > 0


def test_a_row_that_is_there_already_is_left_as_it_is_where_that_is_asked_for() -> None:
    for tools in (["first"], ["second"]):
        insert(OfferedTools(digest="sha256:0", tools=tools), unless_there=True)
    assert OfferedTools.objects.get().tools == ["first"]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(OfferedTools(digest="sha256:0", tools=[]))


def test_a_change_may_name_the_row_that_a_field_refers_to(run: Run, reviewer: User) -> None:
    insert(run)
    changes = {"taken_over_by": reviewer, "taken_over_at": datetime.now(UTC)}
    assert update(Run, {"pk": run.pk}, changes) == 1
    assert Run.objects.get(pk=run.pk).taken_over_by == reviewer
