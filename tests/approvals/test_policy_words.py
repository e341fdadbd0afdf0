"""Time to decide, in words."""

from __future__ import annotations

import pytest

from approvals.policies import Policy
from approvals.policy_diff import changes
from approvals.policy_words import requirements_sentence
from approvals.schemas import Requirements


@pytest.mark.parametrize(
    ("hours", "calendar", "said"),
    [
        (None, None, "one of the agent's owner group"),
        (4, None, "one of the agent's owner group, within 4 hours"),
        (
            1,
            "office",
            "one of the agent's owner group, within 1 hour of the calendar office",
        ),
        (24, "", "one of the agent's owner group, within 24 hours around the clock"),
        (
            None,
            "office",
            "one of the agent's owner group, within the usual hours of the calendar office",
        ),
    ],
)
def test_requirements_say_how_long_people_have(
    hours: float | None, calendar: str | None, said: str
) -> None:
    assert requirements_sentence(Requirements(review_hours=hours, calendar=calendar), {}) == said


def test_another_calendar_is_a_change_that_is_said() -> None:
    said = changes(Policy(), Policy(calendar="office"))
    assert said == ["Calendar of these hours: from none (around the clock) to office."]
