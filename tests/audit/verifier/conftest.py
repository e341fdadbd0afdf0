"""What the tests of the verifier stand on: a log in memory and exports of it, no database."""

from pathlib import Path
from typing import Any

import pytest

from tests.audit.verifier.logbook import Log, checked

RUN = "run:01990000-0000-7000-8000-000000000001"
REQUEST = "request:01990000-0000-7000-8000-000000000002"


@pytest.fixture
def log() -> Log:
    """A run and a request to their ends among other events, 21 in all; disclosures, documents, a policy."""
    log = Log()
    shown = log.document(b'{"amount":4000}')
    policy = log.document(b'{"rules":[]}')
    for step in range(7):
        log.record(RUN, "run.started" if step == 0 else "model.called", facts={"step": step})
        log.record("person:7", "signin.succeeded", disclose={"address": f"192.0.2.{step}"})
        if step % 3 == 0:
            log.record(
                REQUEST,
                ("request.opened", "request.decided", "effect.succeeded")[step // 3],
                disclose={"shown_sha256": shown, "reason": '=1+1 "fine"'},
                policy={"version": 1, "sha256": policy},
                request=REQUEST.partition(":")[2],
                action={"tool": "issue_refund", "risk": "high", "confidence_bp": 6100},
            )
    log.record(RUN, "run.ended", facts={"state": "finished"})
    for _ in range(3):
        log.record()
    return log


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """`said(path, *options)` checks an export and returns the exit code and what was printed."""

    def check(path: Path, *options: str) -> tuple[int, str]:
        capsys.readouterr()
        code = checked(path, *options)
        return code, capsys.readouterr().out

    return check
