"""People who decide, and a history that they are part of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.models import ReviewGroup, User
from tests.harness.people import person
from tests.insights.history import History


@pytest.fixture
def history(operator: User, finance: ReviewGroup) -> Callable[[int], History]:
    """`history(seed)` makes up another one."""
    people = [operator, person("one", "reviewer"), person("two", "reviewer")]
    return lambda seed: History(seed, people, finance)
