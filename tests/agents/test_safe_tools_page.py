"""The tool that docs/safe-tools.md builds does what the page says of it."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import User
from agents import registry
from agents.effect_rules import belied_classes
from agents.models import EffectRecord, Run, Step
from agents.services.ask_undo import ask_undo
from approvals.vocabulary import Verdict
from countersign.programs import PROJECT
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.model_server import call, calls, final, judged

PAGE = PROJECT / "docs" / "safe-tools.md"
PASSWORD = "open-sesame-4711"


@pytest.fixture
def page(
    counter: Counter,
    bank: Bank,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """The code of the page, with an agent that has its two tools."""
    given = {"tool_secrets": {"bank_password": PASSWORD}}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=given)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (tmp_path / "safe_tools_page.py").write_text("\n".join(blocks))
    monkeypatch.syspath_prepend(str(tmp_path))
    made: Any = importlib.import_module("safe_tools_page")
    host(teller(bank, tools=[made.pay_supplier, made.pay_by_letter]))
    yield made
    registry.unregister("teller")
    del sys.modules["safe_tools_page"]


def pay(tool: str = "pay_supplier", supplier: str = "Acme", amount: str = "400.00") -> Any:
    return calls(call(tool, judged({"supplier": supplier, "amount": amount})))


def step_of(run: Run) -> Step:
    return Step.objects.filter(run=run, kind="tool").latest("seq")


def test_its_code_breaks_no_rule(page: Any) -> None:
    for tool in (page.pay_supplier, page.pay_by_letter):
        assert list(belied_classes(tool)) == []


def test_what_is_approved_is_shown_done_once_and_read_back(
    page: Any, counter: Counter, reviewer: User
) -> None:
    run = counter.start([pay(), final(summary="ok")])
    request = counter.request(run)
    assert step_of(run).locks == ["supplier:Acme"]
    assert request.title == "Pay €400.00 to Acme"
    assert request.preview["summary"] == "€600.00 are left in the account afterwards."
    counter.decide(request, Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.state == "succeeded"
    output = step_of(run).output or {}
    assert (output["result"], output["verified"]) == ({"reference": "P-1"}, True)
    assert page.bank.balance == Decimal("600.00")
    assert page.bank.keys_seen == {PASSWORD}


def test_a_world_that_changed_goes_back_to_review(
    page: Any, counter: Counter, reviewer: User
) -> None:
    run = counter.start([pay(), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    page.bank.balance = Decimal("450.00")
    run = counter.go_on(run)
    request = counter.request(run)
    assert run.state == "waiting"
    assert request.preview["summary"] == "€50.00 are left in the account afterwards."
    assert page.bank.paid == {}


@pytest.mark.parametrize(
    ("supplier", "amount", "told"),
    [
        ("Nobody", "1.00", "supplier: there is no supplier called Nobody. Look the name up first."),
        ("Acme", "1000.01", "amount: only 1000.00 euro are in the account. Ask a person."),
    ],
)
def test_its_errors_say_which_field_and_what_would_be_right(
    page: Any, counter: Counter, reviewer: User, supplier: str, amount: str, told: str
) -> None:
    run = counter.start([pay(supplier=supplier, amount=amount), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (step_of(run).output or {})["message"] == told
    assert page.bank.paid == {}


def test_a_letter_whose_answer_was_lost_is_looked_up(
    page: Any, counter: Counter, reviewer: User
) -> None:
    body = page.pay_by_letter.function

    def loses_its_answer(ctx: Any, payment: Any) -> Any:
        body(ctx, payment)
        raise TimeoutError

    page.pay_by_letter.function = loses_its_answer
    run = counter.start([pay("pay_by_letter"), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.state == "succeeded"
    assert len(page.bank.paid) == 1
    assert EffectRecord.objects.get(run=run).state == "succeeded"


def test_a_bank_that_takes_no_calls_is_called_again_with_the_same_key(
    page: Any, counter: Counter, reviewer: User
) -> None:
    keys: list[str] = []
    pay_there = page.bank.pay

    def refuses_once(key: str, amount: Decimal, password: str) -> str:
        keys.append(key)
        if len(keys) == 1:
            raise ConnectionRefusedError
        return str(pay_there(key, amount, password))

    page.bank.pay = refuses_once
    run = counter.start([pay(), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert page.bank.balance == Decimal("600.00")


def test_a_payment_that_is_called_back_brings_the_money_back_once_a_person_approved_it(
    page: Any, counter: Counter, reviewer: User, second_reviewer: User
) -> None:
    run = counter.start([pay(), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    effect = EffectRecord.objects.get(run=run)
    asked = Caller.of_session(reviewer)
    undo = ask_undo(run_id=run.pk, effect_id=effect.pk, reason="Twice.", caller=asked)
    undo = counter.go_on(undo)
    assert page.bank.balance == Decimal("600.00")
    counter.decide(counter.request(undo), Verdict.APPROVE, second_reviewer)
    assert counter.go_on(undo).state == "succeeded"
    assert (page.bank.balance, page.bank.paid) == (Decimal("1000.00"), {})


def test_its_code_twice_with_one_key_pays_once(page: Any) -> None:
    for _ in range(2):
        page.bank.pay("key", Decimal(1), PASSWORD)
    assert page.bank.balance == Decimal("999.00")


def test_a_letter_that_is_not_found_is_asked_of_a_person(
    page: Any, counter: Counter, reviewer: User
) -> None:
    def lost(ctx: Any, payment: Any) -> Any:
        raise TimeoutError

    page.pay_by_letter.function = lost
    run = counter.start([pay("pay_by_letter"), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, counter.request(run).kind) == ("waiting", "in_doubt")


def test_a_payment_that_cannot_be_read_back_is_asked_of_a_person(
    page: Any, counter: Counter, reviewer: User
) -> None:
    page.bank.pay = lambda key, amount, password: "P-1"
    run = counter.start([pay(), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, counter.request(run).kind) == ("waiting", "in_doubt")
