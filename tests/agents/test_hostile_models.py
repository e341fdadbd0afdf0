"""Model servers that misbehave, over real HTTP: no worker is held or killed, nothing runs ungated, no run loops.

Further cases stand in `test_runner.py` (malformed calls, statuses, time-outs), `test_odd_content.py` (texts and
ids that no journal keeps), `test_prices.py` (usage) and `test_chains.py` (what comes after repairs).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from agents.authoring import Budget
from agents.models import EffectRecord, Run, Step
from agents.tool_threads import threads
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.model_server import (
    Answer,
    ModelServer,
    call,
    calls,
    completion,
    error,
    final,
    judged,
    says,
)

Steps = Callable[[Run], list[Step]]
PAY = judged({"account": "A1", "amount": "42.00"})
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BOMB = gzip.compress(b"[" * 50_000_000, 9)


@pytest.fixture(autouse=True)
def no_thread_is_counted_twice() -> Iterator[None]:
    threads.forget()
    yield
    threads.forget()


@pytest.fixture
def hurried(settings: Settings, counter: Counter) -> Counter:
    """One attempt, which may take half a second altogether."""
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"model_timeout_seconds": 0.5, "model_attempts": 1}
    )
    return counter


@pytest.fixture
def once(settings: Settings, counter: Counter) -> Counter:
    """One attempt, which may take its time: a busy machine unpacks fifty megabytes slowly."""
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_attempts": 1})
    return counter


def codes(step: Step) -> list[str]:
    return [attempt["code"] for attempt in step.attempts]


def raw(*pieces: bytes, pause: float = 0.0) -> Answer:
    return Answer(raw=pieces, pause=pause)


def dripping(head: bytes, rest: bytes) -> Answer:
    """Sends the head at once and the rest byte by byte, for ever."""
    return Answer(raw=chain([head], repeat(rest)), pause=0.05)


@pytest.mark.parametrize(
    ("answer", "code", "left_behind"),
    [
        (dripping(HEAD + b"Content-Length: 1000000\r\n\r\n", b" "), "model_timeout", 0),
        (dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), "model_timeout", 0),
        (dripping(HEAD + b"X-Slow: ", b"a"), "model_timeout", 1),
        # Of an error nothing but its head is read.
        (
            dripping(b"HTTP/1.1 500 Oops\r\nContent-Length: 99999\r\n\r\n", b" "),
            "model_server_error",
            0,
        ),
    ],
)
def test_a_reply_that_trickles_in_ends_when_its_time_is_up(
    hurried: Counter, steps_of: Steps, answer: Answer, code: str, left_behind: int
) -> None:
    run = hurried.start([answer])
    assert codes(steps_of(run)[0]) == [code]
    assert run.state == "sleeping"
    assert threads.left_behind == left_behind


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (raw(), "model_unreachable"),
        (raw(b"I am no web server.\r\n\r\n"), "model_unreachable"),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b'{"choices": ['),
            "model_reply_cut",
        ),
        (raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\n{"), "model_reply_cut"),
        (raw(HEAD + b"X: " + b"a" * 200_000), "model_unreachable"),
        (Answer(204), "model_reply_malformed"),
        (Answer(body=b""), "model_reply_malformed"),
        (Answer(body=b"[" * 100_000), "model_reply_malformed"),
        (Answer(body=b"null"), "model_reply_malformed"),
        (Answer(body=b"\xff\xfe\x00"), "model_reply_malformed"),
        (Answer(body=b"<html>", headers={"Content-Type": "text/html"}), "model_reply_malformed"),
        (Answer(body=b"{}", headers={"Content-Encoding": "gzip"}), "model_reply_malformed"),
        (Answer(body=b"{}", headers={"Content-Encoding": "br"}), "model_reply_malformed"),
        (
            Answer(body=gzip.compress(b"{}")[:-4], headers={"Content-Encoding": "gzip"}),
            "model_reply_cut",
        ),
        (Answer(body=BOMB, headers={"Content-Encoding": "gzip"}), "model_reply_too_large"),
        (
            Answer(body=zlib.compress(b"[" * 50_000_000), headers={"Content-Encoding": "deflate"}),
            "model_reply_too_large",
        ),
        (Answer(500, BOMB, {"Content-Encoding": "gzip"}), "model_server_error"),
        (says("a" * 5_000_000), "model_reply_too_large"),
        (
            Answer(raw=chain([HEAD + b"\r\n"], repeat(b" " * 65_536))),
            "model_reply_too_large",
        ),
    ],
)
def test_an_answer_that_is_no_reply_is_a_failed_attempt_and_the_run_sleeps_on_it(
    once: Counter, bank: Bank, steps_of: Steps, answer: Answer, code: str
) -> None:
    run = once.start([answer])
    assert codes(steps_of(run)[0]) == [code]
    assert (run.state, bank.sent) == ("sleeping", [])


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "text/plain"}, {"Content-Type": ""}, {"Content-Encoding": "identity"}],
)
def test_a_reply_under_another_content_type_is_read_all_the_same(
    counter: Counter, headers: dict[str, str]
) -> None:
    assert (
        counter.start([Answer(body=final(summary="ok").body, headers=headers)]).state == "succeeded"
    )


def test_a_packed_reply_is_unpacked(counter: Counter) -> None:
    packed = gzip.compress(final(summary="ok").body)
    run = counter.start([Answer(body=packed, headers={"Content-Encoding": "gzip"})])
    assert run.state == "succeeded"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_task_goes_to_the_server_that_was_named_and_to_none_that_it_points_at(
    counter: Counter, steps_of: Steps, status: int
) -> None:
    elsewhere = ModelServer(lambda _request: final(summary="Taken."))
    try:
        run = counter.start(
            [Answer(status, headers={"Location": f"{elsewhere.url}/chat/completions"})]
        )
        assert elsewhere.requests == []
    finally:
        elsewhere.close()
    assert codes(steps_of(run)[0]) == ["model_redirected"]
    assert (run.state, counter.request(run).kind) == ("waiting", "attention")


def test_of_a_hundred_calls_in_a_reply_so_many_are_taken_and_the_others_are_told_so(
    counter: Counter, bank: Bank, model: ModelServer, steps_of: Steps
) -> None:
    reads = [call("read_balance", judged({"account": f"A{n}"}), id=f"c{n}") for n in range(99)]
    host(teller(bank, budget=Budget(tool_calls=200, steps=500)))
    run = counter.start([calls(*reads, call("pay", PAY, id="last")), final(summary="ok")])
    assert (run.state, bank.sent) == ("succeeded", [])
    made = [step for step in steps_of(run) if step.kind == "tool"]
    assert [step.problem for step in made].count("too_many_calls") == 36
    told = [m["tool_call_id"] for m in model.requests[1]["messages"] if m["role"] == "tool"]
    assert told == [*(f"c{n}" for n in range(99)), "last"]


def test_a_reply_with_thousands_of_calls_is_not_taken_at_all(
    once: Counter, steps_of: Steps
) -> None:
    one = {"id": "c", "function": {"name": "pay", "arguments": ""}}
    run = once.start([completion({"tool_calls": [one] * 20_000})])
    assert codes(steps_of(run)[0]) == ["model_reply_too_many_calls"]
    assert Step.objects.filter(run=run).count() == 1


def test_an_id_that_comes_again_with_other_arguments_is_another_call(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    other = judged({"account": "EVIL", "amount": "9999.00"})
    run = counter.start(
        [calls(call("pay", PAY, id="c1")), calls(call("pay", other, id="c1")), final(summary="ok")]
    )
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert [account for _, account, _ in bank.sent] == ["A1"]
    assert (run.state, counter.request(run).arguments["account"]) == ("waiting", "EVIL")
    keys = EffectRecord.objects.filter(run=run).values_list("idempotency_key", flat=True)
    assert len(set(keys)) == len(keys)


def test_two_calls_of_a_reply_under_one_id_are_decided_one_by_one(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    other = judged({"account": "EVIL", "amount": "9999.00"})
    run = counter.start(
        [calls(call("pay", PAY, id="c1"), call("pay", other, id="c1")), final(summary="ok")]
    )
    first, second = ApprovalRequest.objects.filter(run_id=run.pk).order_by("step_seq")
    counter.decide(first, Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert [account for _, account, _ in bank.sent] == ["A1"]
    second.refresh_from_db()
    assert (run.state, second.state) == ("waiting", "pending")


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"content": ""},
        {"content": None, "tool_calls": []},
        {"content": None, "tool_calls": None},
        {"content": None, "function_call": {"name": "pay", "arguments": json.dumps(PAY)}},
        {"refusal": "I will not."},
        {"content": json.dumps({"tool": "pay", **PAY})},
    ],
)
def test_a_reply_without_a_call_is_bounded_and_then_a_person_looks(
    counter: Counter, bank: Bank, model: ModelServer, message: dict[str, Any]
) -> None:
    run = counter.start(lambda _request: completion(message))
    assert (run.state, counter.request(run).kind) == ("waiting", "attention")
    assert (len(model.requests), bank.sent) == (3, [])


@pytest.mark.parametrize(
    "written",
    [
        {"id": "c1", "type": "function"},
        {"id": "c1", "type": "custom", "custom": {"name": "pay", "input": "{}"}},
        {"id": "c1", "type": "function", "function": {"name": "pay"}},
        {"id": "c1", "type": "function", "function": "pay"},
        "pay",
        None,
    ],
)
def test_a_call_that_is_none_by_the_wire_format_is_a_failed_attempt(
    once: Counter, bank: Bank, steps_of: Steps, written: Any
) -> None:
    run = once.start([completion({"tool_calls": [written]})])
    assert codes(steps_of(run)[0]) == ["model_reply_malformed"]
    assert bank.sent == []


@pytest.mark.parametrize("tool_calls", [{"a": 1}, "pay", 7, True])
def test_calls_that_are_no_list_are_a_failed_attempt(
    once: Counter, bank: Bank, steps_of: Steps, tool_calls: Any
) -> None:
    run = once.start([completion({"tool_calls": tool_calls})])
    assert codes(steps_of(run)[0]) == ["model_reply_malformed"]
    assert bank.sent == []


def test_only_the_first_of_several_choices_counts(counter: Counter, bank: Bank) -> None:
    body = json.loads(final(summary="The first.").body)
    second = json.loads(calls(call("pay", PAY)).body)
    body["choices"] += second["choices"]
    run = counter.start([Answer(body=json.dumps(body).encode())])
    assert (run.output, bank.sent) == ({"summary": "The first."}, [])


def test_arguments_that_a_server_sends_as_an_object_are_read(counter: Counter) -> None:
    read = call("read_balance", {})
    read["function"]["arguments"] = judged({"account": "A1"})
    run = counter.start([calls(read), final(summary="ok")])
    assert run.state == "succeeded"
    assert Step.objects.filter(run=run, name="read_balance", state="succeeded").exists()


@pytest.mark.parametrize(
    "confidence",
    ["high", 7, -1, 1.0001, "0.99", None, True, [1], {"value": 1}, "", "NaN"],
)
def test_no_confidence_but_a_number_from_0_to_1_lets_a_call_pass(
    counter: Counter, confidence: Any
) -> None:
    run = counter.start([calls(call("read_balance", judged({"account": "A1"}, confidence)))])
    assert run.state == "waiting"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", str(2**60)])
def test_a_confidence_that_is_no_number_of_json_lets_no_call_pass(
    counter: Counter, bank: Bank, text: str
) -> None:
    arguments = f'{{"account": "A1", "rationale": "sure", "confidence": {text}}}'
    run = counter.start([calls(call("read_balance", arguments)), final(summary="ok")])
    assert not Step.objects.filter(run=run, name="read_balance", state="succeeded").exists()


def test_a_call_without_a_confidence_waits_for_a_person(counter: Counter) -> None:
    run = counter.start([calls(call("read_balance", {"account": "A1"}))])
    assert run.state == "waiting"


@pytest.mark.parametrize("name", ["undo_pay", "PAY", "pay ", "functions.pay", "ask_human_", "eval"])
def test_a_tool_that_was_not_offered_is_never_called(
    counter: Counter, bank: Bank, steps_of: Steps, name: str
) -> None:
    run = counter.start([calls(call(name, PAY)), final(summary="ok")])
    assert steps_of(run)[1].problem == "unknown_tool"
    assert bank.sent == []


@pytest.mark.parametrize("named", [{"a": 1}, None, "m\x00dell", "x" * 10_000, 7])
def test_an_odd_name_of_the_model_that_answered_does_not_stop_the_run(
    counter: Counter, named: Any
) -> None:
    odd = completion({"tool_calls": [call("pay", PAY)]}, model=named)
    run = counter.start([odd])
    assert (run.state, counter.request(run).kind) == ("waiting", "action")


def test_a_model_that_never_comes_to_an_end_is_stopped_at_its_cap(
    counter: Counter, bank: Bank, model: ModelServer
) -> None:
    host(teller(bank, budget=Budget(model_calls=5)))
    numbers = iter(range(1_000))
    run = counter.start(
        lambda _request: calls(call("read_balance", judged({"account": f"A{next(numbers)}"})))
    )
    assert (run.state, counter.request(run).kind) == ("waiting", "budget")
    assert len(model.requests) == 5


def test_after_all_of_it_the_same_worker_takes_the_next_run(
    hurried: Counter, bank: Bank, settings: Settings
) -> None:
    for answer in (
        dripping(HEAD + b"X-Slow: ", b"a"),
        Answer(body=BOMB, headers={"Content-Encoding": "gzip"}),
        raw(b"?"),
        error(500),
    ):
        assert hurried.start([answer]).state == "sleeping"
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_timeout_seconds": 60.0})
    assert hurried.start([final(summary="ok")]).state == "succeeded"
    assert bank.sent == []


def test_a_reply_of_megabytes_that_may_be_read_neither_stops_the_run_nor_fills_the_next_request(
    counter: Counter, bank: Bank, model: ModelServer
) -> None:
    # What such a reply takes of them would end it otherwise.
    host(teller(bank, budget=Budget(tokens=5_000_000)))
    read = call("read_balance", judged({"account": "A1"}))
    long = completion({"content": "é" * 1_500_000, "tool_calls": [read]})
    assert counter.start([long, final(summary="ok")]).state == "succeeded"
    assert len(json.dumps(model.requests[1], ensure_ascii=False).encode()) < 1_000_000
