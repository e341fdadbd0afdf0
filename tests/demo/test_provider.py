"""The payment provider, as a process of its own: it pays once per key and forgets nothing, not even when killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest

from demo.errors import OutcomeUnknown, ProviderBusy, ProviderRefused
from demo.payments import PaymentProvider
from tests.demo.running_provider import BODY, COMMAND, ROOT, Process, running


def test_a_refund_is_made_and_can_be_found(provider: Process) -> None:
    status, refund = provider.refund("key-1")
    assert status == 201
    assert refund["amount"] == "42.00"
    assert provider.ask("GET", "/refunds/key-1") == (200, refund)
    assert provider.ask("GET", "/refunds/key-2")[0] == 404


def test_the_same_key_and_body_get_the_same_answer_and_one_refund(provider: Process) -> None:
    first = provider.refund("key-1")
    assert provider.refund("key-1") == first
    assert [call["refund"] is not None for call in provider.calls()] == [True, False]


def test_the_same_key_with_another_body_is_refused(provider: Process) -> None:
    provider.refund("key-1")
    status, answer = provider.refund("key-1", amount="43.00")
    assert status == 409
    assert answer["error"]["code"] == "key_reused"
    assert provider.ask("GET", "/refunds/key-1")[1]["amount"] == "42.00"


def test_many_at_once_with_one_key_make_one_refund(provider: Process) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: provider.refund("key-1"), range(32)))
    assert len({json.dumps(answer) for answer in answers}) == 1
    assert sum(call["refund"] is not None for call in provider.calls()) == 1
    assert len(provider.calls()) == 32


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        (None, BODY, 400),
        ("key-1", {**BODY, "amount": "0.00"}, 422),
        ("key-1", {**BODY, "amount": "-1.00"}, 422),
        ("key-1", {**BODY, "amount": "42"}, 422),
        ("key-1", {**BODY, "amount": 42.0}, 422),
        ("key-1", {**BODY, "amount": "NaN"}, 422),
        ("key-1", {**BODY, "currency": "USD"}, 422),
        ("key-1", {"payment": "pay_1"}, 422),
        ("key-1", [], 422),
    ],
)
def test_what_is_not_a_refund_is_refused_and_recorded(
    provider: Process, key: str | None, body: Any, status: int
) -> None:
    assert provider.ask("POST", "/refunds", body, key)[0] == status
    (call,) = provider.calls()
    assert call["status"] == status
    assert call["refund"] is None


def test_it_remembers_everything_after_kill_9(tmp_path: Path) -> None:
    with running(tmp_path) as provider:
        first = provider.refund("key-1")
        provider.end(signal.SIGKILL)
    with running(tmp_path) as provider:
        assert provider.refund("key-1") == first
        assert [call["number"] for call in provider.calls()] == [1, 2]
        assert [call["refund"] is not None for call in provider.calls()] == [True, False]


def test_a_line_torn_by_a_crash_counts_as_a_call_never_made(tmp_path: Path) -> None:
    with running(tmp_path) as provider:
        provider.refund("key-1")
        provider.end(signal.SIGKILL)
    journal = tmp_path / "calls.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole.replace(b"key-1", b"key-2")[:-20])
    with running(tmp_path) as provider:
        assert provider.ask("GET", "/refunds/key-2")[0] == 404
        assert provider.refund("key-2")[0] == 201
        provider.end(signal.SIGKILL)
    with running(tmp_path) as provider:
        assert [call["key"] for call in provider.calls()] == ["key-1", "key-2"]


def test_a_dropped_answer_leaves_the_refund_made(provider: Process) -> None:
    provider.ask("POST", "/knobs", {"mode": "drop"})
    with pytest.raises(RemoteDisconnected):
        provider.refund("key-1")
    assert provider.ask("GET", "/refunds/key-1")[0] == 200
    assert provider.refund("key-1")[0] == 201
    assert sum(call["refund"] is not None for call in provider.calls()) == 1


def test_an_unavailable_provider_has_done_nothing(provider: Process) -> None:
    provider.ask("POST", "/knobs", {"mode": "unavailable", "times": 2})
    assert provider.refund("key-1")[0] == 503
    assert provider.refund("key-1")[0] == 503
    assert provider.ask("GET", "/refunds/key-1")[0] == 404
    assert provider.refund("key-1")[0] == 201


def test_a_knob_that_does_not_exist_is_refused(provider: Process) -> None:
    assert provider.ask("POST", "/knobs", {"mode": "explode"})[0] == 422
    assert provider.ask("POST", "/knobs", {"mode": "drop", "times": "many"})[0] == 422


def test_a_second_provider_in_the_directory_is_refused(provider: Process, tmp_path: Path) -> None:
    second = subprocess.run(
        [*COMMAND, str(tmp_path / "provider")],
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
        cwd=ROOT,
    )
    assert second.returncode == 1
    assert "already uses" in second.stderr


def test_it_ends_on_sigterm(tmp_path: Path) -> None:
    with running(tmp_path) as provider:
        assert provider.end(signal.SIGTERM) == 0


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """A parent that starts a provider and is killed; the pipe closes when the provider has ended too."""
    command = [*COMMAND, str(tmp_path), "--parent-pid"]
    program = f"import os, subprocess; subprocess.Popen([*{command!r}, str(os.getpid())]).wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    assert parent.stdout is not None
    try:
        assert parent.stdout.readline().startswith("Payment provider: ")
        parent.kill()
        parent.wait(timeout=10)
        assert parent.stdout.read() == ""
    finally:
        parent.stdout.close()
        # Only if it did not end: the group still has the provider in it.
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)


def test_the_client_tells_refusal_from_doubt(provider: Process) -> None:
    client = PaymentProvider(provider.url)
    amount = Decimal("42.00")
    paid = client.pay_back(key="key-1", payment="pay_1", amount=amount)
    assert paid.amount == amount
    assert client.find(key="key-1") == paid
    assert client.find(key="key-2") is None
    with pytest.raises(ProviderRefused):
        client.pay_back(key="key-1", payment="pay_1", amount=Decimal("43.00"))
    for mode, error in (
        ("drop", OutcomeUnknown),
        ("fail", OutcomeUnknown),
        ("unavailable", ProviderBusy),
    ):
        provider.ask("POST", "/knobs", {"mode": mode})
        with pytest.raises(error):
            client.pay_back(key=f"key-{mode}", payment="pay_1", amount=amount)


def test_an_answer_that_does_not_come_is_a_doubt(
    provider: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.payments.ANSWER_SECONDS", 0.2)
    provider.ask("POST", "/knobs", {"mode": "delay", "seconds": 60})
    with pytest.raises(OutcomeUnknown):
        PaymentProvider(provider.url).pay_back(key="key-1", payment="pay_1", amount=Decimal("1.00"))
    assert provider.ask("GET", "/refunds/key-1")[0] == 200


def test_a_slow_answer_has_more_time_than_the_connection(
    provider: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.payments.CONNECT_SECONDS", 0.3)
    provider.ask("POST", "/knobs", {"mode": "delay", "seconds": 1})
    client = PaymentProvider(provider.url)
    assert client.pay_back(key="key-1", payment="pay_1", amount=Decimal("1.00")).reference


def test_a_provider_that_is_not_there_did_nothing(provider: Process) -> None:
    provider.end(signal.SIGKILL)
    with pytest.raises(ProviderBusy):
        PaymentProvider(provider.url).pay_back(key="key-1", payment="pay_1", amount=Decimal("1.00"))


PAYOUT = {
    "account": "DE02120300000000202051",
    "reference": "INV-3001",
    "amount": "42.00",
    "currency": "EUR",
}


def test_a_payment_to_an_account_is_made_once_per_key_and_can_be_found(provider: Process) -> None:
    status, payout = provider.ask("POST", "/payouts", PAYOUT, "key-1")
    assert (status, payout["account"], payout["amount"]) == (201, PAYOUT["account"], "42.00")
    assert provider.ask("POST", "/payouts", PAYOUT, "key-1") == (201, payout)
    assert provider.ask("GET", "/payouts/key-1") == (200, payout)
    assert provider.ask("GET", "/refunds/key-1")[0] == 404
    other = {**PAYOUT, "account": "DE02500105170137075030"}
    assert provider.ask("POST", "/payouts", other, "key-1")[0] == 409
    assert [call["payout"] is not None for call in provider.calls()] == [True, False, False]


def test_a_refund_and_a_payment_may_have_the_same_key(provider: Process) -> None:
    assert provider.refund("key-1")[0] == 201
    assert provider.ask("POST", "/payouts", PAYOUT, "key-1")[0] == 201


@pytest.mark.parametrize(
    "change", [{"account": ""}, {"amount": "1"}, {"currency": "USD"}, {"more": "x"}]
)
def test_what_is_not_a_payment_is_refused(provider: Process, change: dict[str, str]) -> None:
    assert provider.ask("POST", "/payouts", {**PAYOUT, **change}, "key-1")[0] == 422


def test_payments_outlive_the_process(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        made = first.ask("POST", "/payouts", PAYOUT, "key-1")
    with running(tmp_path) as again:
        assert again.ask("POST", "/payouts", PAYOUT, "key-1") == made
