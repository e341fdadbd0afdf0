"""A process that is stopped in the middle of a transaction keeps others from its rows for a bounded time only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.services.decide import decide
from countersign.databases import databases
from tests.approvals.conftest import Opener, bystanders, opened, till  # noqa: F401
from tests.approvals.till import by, verdict_on

STOPPED_MS = 1_500
HOLDS = """
import sys, django
django.setup()
from django.db import transaction
from approvals.models import ApprovalRequest
with transaction.atomic():
    mine = ApprovalRequest.objects.select_for_update(no_key=True).get(pk=sys.argv[1])
    print("held", flush=True)
    sys.stdin.readline()
    ApprovalRequest.objects.filter(pk=mine.pk).update(title="Changed by who was stopped.")
print("committed", flush=True)
"""


@pytest.fixture
def holder(transactional_db: None) -> Iterator[Callable[[ApprovalRequest], subprocess.Popen[str]]]:
    """A process of the product that holds the row of a request, in a transaction that may rest but shortly."""
    begun: list[subprocess.Popen[str]] = []

    def hold(request: ApprovalRequest) -> subprocess.Popen[str]:
        there = connection.settings_dict
        more = {
            "host": there["HOST"],
            "options": f"-c idle_in_transaction_session_timeout={STOPPED_MS}",
        } | ({"port": there["PORT"]} if there["PORT"] else {})
        who = f"{quote(there['USER'])}:{quote(there['PASSWORD'])}"
        address = f"postgresql://{who}@/{there['NAME']}?{urlencode(more, quote_via=quote)}"
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(request.pk)],
            env=os.environ | {"DATABASE_URL": address},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n", process.communicate()[1]
        return process

    yield hold
    for process in begun:
        process.kill()
        process.communicate()


def test_a_decision_waits_for_a_stopped_process_no_longer_than_its_transaction_may_rest(
    holder: Callable[[ApprovalRequest], subprocess.Popen[str]],
    opened: Opener,  # noqa: F811
    reviewer: User,
) -> None:
    request = opened()
    process = holder(request)
    process.send_signal(signal.SIGSTOP)
    # This would wait for ever.
    decide(request_id=request.pk, decision=verdict_on(request, "approve"), caller=by(reviewer))
    process.send_signal(signal.SIGCONT)
    said, failed = process.communicate("go on\n")
    assert (said, process.returncode) == ("", 1)
    assert "idle-in-transaction" in failed
    request.refresh_from_db()
    assert (request.state, request.title) != ("pending", "Changed by who was stopped.")


def test_every_connection_at_work_may_rest_so_long_and_one_that_migrates_as_long_as_it_likes() -> (
    None
):
    made = databases(settings.COUNTERSIGN)
    bounded = {
        name: "idle_in_transaction_session_timeout=60000" in alias["OPTIONS"]["options"]
        for name, alias in made.items()
    }
    assert bounded == {"default": True, "owner": False, "sealer": True}
