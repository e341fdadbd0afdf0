"""What a run leaves in the log, kind by kind."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson

from accounts.callers import Caller
from accounts.models import User
from agents.authoring import Terminal
from agents.models import EffectRecord, Run, Step
from agents.services.control import cancel_run, pause_run, resume_run
from approvals.vocabulary import Verdict
from audit.keyring import open_disclosure
from audit.models import Disclosure, Event
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_effects import PAY, approved
from tests.model_server import call, calls, final, judged


def bodies(run: Run, event_type: str) -> list[dict[str, Any]]:
    """The run's events of a type, the oldest first."""
    found = Event.objects.filter(run=run.pk, type=event_type).oldest_first()
    return [orjson.loads(bytes(event.body)) for event in found]


def test_a_run_is_in_the_log_from_its_start_to_its_end(
    counter: Counter, operator: User, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="done")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.state == "succeeded"
    (started,) = bodies(run, "run.started")
    assert started["actor"]["id"] == str(operator.pk)
    for kind in (
        "action.proposed",
        "run.parked",
        "request.opened",
        "request.decided",
        "run.woken",
        "effect.dispatched",
        "effect.succeeded",
        "run.ended",
    ):
        (body,) = bodies(run, kind)
        assert body["agent"]["slug"] == "teller"
    assert len(bodies(run, "model.called")) == 2


def test_a_model_call_binds_the_digests_of_request_and_reply_and_no_text(
    counter: Counter, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="done")])
    (body,) = bodies(run, "model.called")
    assert set(body["facts"]) <= {
        *("tokens_in", "tokens_out", "tokens_cached", "cost_micros", "attempts", "calls")
    }
    kept = Disclosure.objects.select_related("key").get(event=body["id"])
    salted = orjson.loads(_decoded(open_disclosure(kept)))
    step = Step.objects.get(run=run, kind="model")
    reply = json.dumps(step.response, sort_keys=True, separators=(",", ":")).encode()
    assert salted[1:] == [
        "exchange",
        {
            "request_sha256": step.input_digest,
            "reply_sha256": f"sha256:{hashlib.sha256(reply).hexdigest()}",
        },
    ]


def _decoded(encoded: bytes) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(encoded + b"==")


def test_what_the_gate_lets_through_is_in_the_log(counter: Counter) -> None:
    run = counter.start(
        [calls(call("read_balance", judged({"account": "A1"}))), final(summary="done")]
    )
    (allowed,) = bodies(run, "action.allowed")
    assert allowed["action"]["tool"] == "read_balance"


def test_pausing_and_resuming_are_in_the_log(counter: Counter, operator: User) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="done")])
    caller = Caller.of_session(operator)
    pause_run(run_id=run.pk, reason="", caller=caller)
    resume_run(run_id=run.pk, caller=caller)
    (paused,), (resumed,) = bodies(run, "run.paused"), bodies(run, "run.resumed")
    assert paused["actor"]["id"] == resumed["actor"]["id"] == str(operator.pk)


def test_cancelling_is_in_the_log_with_what_it_took_along(counter: Counter, operator: User) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="done")])
    cancel_run(run_id=run.pk, reason="", caller=Caller.of_session(operator))
    counter.go_on(run)
    (cancelled,) = bodies(run, "run.cancelled")
    assert cancelled["outcome"]["decision"] == "cancelled"
    (request,) = bodies(run, "request.cancelled")
    assert request["outcome"]["decision"] == "cancel"


def test_an_effect_that_failed_is_in_the_log(counter: Counter, bank: Bank, reviewer: User) -> None:
    def closed() -> None:
        raise Terminal("The account is closed.")

    run = approved(counter, reviewer, "wire")
    bank.trouble = closed
    run = counter.go_on(run)
    (failed,) = bodies(run, "effect.failed")
    assert failed["facts"]["effect"] == str(EffectRecord.objects.get(run=run).pk)


def test_a_version_that_is_first_seen_says_who_owns_the_agent(bank: Bank) -> None:
    body = orjson.loads(bytes(Event.objects.get(type="agent.first_seen", agent="teller").body))
    assert body["agent"]["slug"] == "teller"
    assert body["facts"]["owner"] == "finance"
