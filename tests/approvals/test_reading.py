"""A minimum reading time is each person's own, of the revision that they decide on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import ReviewGroup, User
from approvals.errors import ReadFirst
from approvals.models import ApprovalRequest, Viewing
from approvals.schemas import Requirements
from approvals.services.show import show_to
from approvals.vocabulary import Friction
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.test_decide import take
from tests.approvals.till import by
from tests.harness.people import person

SECONDS = 600
SLOW = Requirements(friction=Friction.READING, friction_seconds=SECONDS)


def opened_by(request: ApprovalRequest, user: User, *, seconds_ago: int) -> None:
    """Let the person have opened it, as it stands now, so long ago."""
    show_to(request_id=request.pk, caller=by(user))
    looks = Viewing.objects.filter(request=request, revision=request.revision, user=user)
    assert looks.update(opened_at=database_now() - timedelta(seconds=seconds_ago)) == 1


@pytest.fixture
def readers(support: ReviewGroup) -> list[User]:
    """Several, since an id that happens to fit proves nothing."""
    return [person(f"reader-{number}", "reviewer", groups=(support,)) for number in range(3)]


def test_each_person_reads_for_themselves(opened: Opener, readers: list[User]) -> None:
    request = opened(needs=SLOW)
    slow, quick, away = readers
    opened_by(request, slow, seconds_ago=SECONDS + 1)
    opened_by(request, quick, seconds_ago=SECONDS - 60)
    for early in (quick, away):
        with pytest.raises(ReadFirst):
            take(request, early)
    assert take(request, slow).state == "approved"


@pytest.mark.parametrize("place", range(3))
def test_whoever_has_read_it_long_enough_approves(
    opened: Opener, readers: list[User], place: int
) -> None:
    request = opened(needs=SLOW)
    opened_by(request, readers[place], seconds_ago=SECONDS + 1)
    assert take(request, readers[place]).state == "approved"


def test_what_was_read_before_a_change_does_not_count_for_it(
    opened: Opener, readers: list[User]
) -> None:
    request = opened(needs=SLOW)
    reader, editor, _ = readers
    for user in (reader, editor):
        opened_by(request, user, seconds_ago=SECONDS + 1)
    take(request, editor, "edit", arguments={"order": "10291", "amount": "19.00", "note": "less"})
    request.refresh_from_db()
    assert (request.revision, request.state) == (2, "pending")
    with pytest.raises(ReadFirst):
        take(request, reader)
    opened_by(request, reader, seconds_ago=SECONDS + 1)
    assert take(request, reader).state == "approved"
