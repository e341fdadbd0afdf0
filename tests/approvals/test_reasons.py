"""Scores and reasons in words."""

from __future__ import annotations

import pytest

from approvals.reasons import beside_needed


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (9_500, "0.95, above the 0.90 that is needed"),
        (9_000, "0.90, exactly what is needed"),
        (6_125, "0.6125, below the 0.90 that is needed"),
    ],
)
def test_a_score_says_on_which_side_of_its_threshold_it_is(value: int, said: str) -> None:
    assert beside_needed(value, 9_000) == said
