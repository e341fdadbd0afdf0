"""Every suite that is shipped, played against the practice model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agents import registry
from agents.models import EffectRecord, Run
from approvals.models import ApprovalRequest
from evaluations.suites import shipped_suites
from tests.evaluations.conftest import Ended

SHIPPED = [name for name, _ in shipped_suites()]


def test_each_agent_of_the_demo_has_a_suite() -> None:
    assert {"refund-desk", "supplier-payout", "data-steward"} == set(SHIPPED)
    assert {registry.get(name).slug for name in SHIPPED} == set(SHIPPED)


@pytest.mark.parametrize("suite", SHIPPED)
def test_a_shipped_suite_passes_and_reaches_nothing(
    suite: str, evaluate: Callable[..., Ended]
) -> None:
    ended = evaluate(suite, suite=suite)
    assert (ended.code, ended.evaluation.state) == (0, "passed"), ended.said
    assert not EffectRecord.objects.exists()
    assert not ApprovalRequest.objects.exists()
    assert not Run.objects.real().exists()
