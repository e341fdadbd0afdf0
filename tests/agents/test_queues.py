"""A wake-up is a job whose id says everything; whoever pops it needs nothing else of it."""

from __future__ import annotations

from uuid import UUID

import pytest

from agents.queues import wake_id, woken_by

RUN = UUID("01a1fb8b-7828-7d6a-a668-8559b5de40b2")


def test_the_id_of_a_wake_up_names_its_run() -> None:
    assert woken_by(wake_id(RUN, 17)) == RUN


@pytest.mark.parametrize(
    "job", [f"export-{RUN}", f"run-{RUN}", f"run-{RUN}-", f"run-{RUN}-1x", "run-1-1", "", f"x{RUN}"]
)
def test_no_other_job_is_taken_for_a_wake_up(job: str) -> None:
    assert woken_by(job) is None
