"""Requests of a made-up till, a real teller, and everybody who may come in by any door."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from accounts.models import ReviewGroup, User
from agents import registry
from tests.agents.conftest import bank, bystander, counter, host, model, steps_of  # noqa: F401
from tests.approvals.conftest import bystanders, opened, till, told  # noqa: F401
from tests.harness.environment import TestProcess
from tests.harness.people import person
from tests.invariants.doors import DOORS, Door
from tests.invariants.racing import TELLER, Track

Enter = Callable[..., Door]


@pytest.fixture(autouse=True)
def enough_people(bystanders: list[User]) -> list[User]:  # noqa: F811
    """What too few people could approve is not asked for at all."""
    return bystanders


@pytest.fixture(params=DOORS, ids=lambda door: door.kind)
def enter(request: pytest.FixtureRequest) -> Enter:
    """`enter(person)`: the person's way in by the door of this case."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def cast(
    finance: ReviewGroup, support: ReviewGroup, operator: User, admin: User, auditor: User
) -> dict[str, User]:
    """Everybody by what they are: rights without groups, groups without rights, and both."""
    groups = (finance, support)
    root = person("root", groups=groups)
    User.objects.filter(pk=root.pk).update(is_superuser=True, is_staff=True)
    bare = person("bare-root")
    User.objects.filter(pk=bare.pk).update(is_superuser=True, is_staff=True)
    return {
        "reviewer": person("reviewer", "reviewer", groups=groups),
        "second reviewer": person("second-reviewer", "reviewer", groups=groups),
        "reviewer of other groups": person("elsewhere", "reviewer"),
        "operator": operator,
        "member without a role": person("member", groups=groups),
        "operator in the group": person("working-operator", "operator", groups=groups),
        "admin": admin,
        "admin in the group": person("reviewing-admin", "admin", groups=groups),
        "superuser": User.objects.get(pk=bare.pk),
        "superuser in the group": User.objects.get(pk=root.pk),
        "auditor": auditor,
        "outsider": person("outsider"),
    }


@pytest.fixture(scope="session")
def two_processes(test_process: TestProcess) -> Iterator[Track]:
    """Two processes that race, for all tests that have them race."""
    track = Track(test_process)
    yield track
    track.close()


@pytest.fixture
def track(
    transactional_db: None, finance: ReviewGroup, support: ReviewGroup, two_processes: Track
) -> Iterator[Track]:
    """The two, over this test's database, with the teller hosted."""
    two_processes.start_over()
    host(TELLER)
    yield two_processes
    registry.unregister(TELLER.slug)
