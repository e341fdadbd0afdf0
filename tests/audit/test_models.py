"""The words in which events and exports are asked for start from the person."""

import pytest
from django.utils import timezone

from accounts.models import User
from audit.models import Event, Export
from tests.audit.conftest import Record

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("who", ["outsider", "operator", "reviewer", "admin"])
def test_only_who_may_read_the_log_finds_events(
    who: str, request: pytest.FixtureRequest, recorded: Record, auditor: User
) -> None:
    event = recorded()
    Export.objects.create(
        asked_by=str(auditor.pk), format="csv", until=timezone.now(), created_at=timezone.now()
    )
    person = request.getfixturevalue(who)
    assert not Event.objects.visible_to(person).exists()
    assert not Export.objects.visible_to(person).exists()
    assert list(Event.objects.visible_to(auditor)) == [event]
    assert Export.objects.visible_to(auditor).count() == 1


def test_a_closed_account_finds_nothing(recorded: Record, auditor: User) -> None:
    recorded()
    auditor.is_superuser = True
    auditor.is_active = False
    assert not Event.objects.visible_to(auditor).exists()
    assert not Export.objects.visible_to(auditor).exists()


def test_a_span_includes_its_beginning_and_not_its_end(recorded: Record) -> None:
    first, second = recorded(), recorded()
    span = Event.objects.between(first.inserted_at, second.inserted_at)
    assert list(span) == [first]
    assert list(Event.objects.between(second.inserted_at, None)) == [second]
    assert list(Event.objects.between(None, second.inserted_at)) == [first]
