"""refund-desk as it is declared: what its tools read, do, and show to a reviewer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core import mail
from pydantic import ValidationError
from pytest_django import Settings

from agents import registry
from agents.authoring import Effect, EffectClass, Risk, Terminal, Tool, ToolContext, Trust
from approvals.digests import action_digest
from demo import agents as demo_agents
from demo.agents import issue_refund, look_up_order, read_refund_rules, refund_desk, send_email
from demo.errors import OutcomeUnknown
from demo.models import Order, Refund, SentMail
from demo.rules import WINDOW_DAYS
from tests.demo.running_provider import Process


def context(key: str = "key-1") -> ToolContext:
    return ToolContext(
        run_id=UUID(int=1),
        agent="refund-desk",
        initiator="operator",
        idempotency_key=key,
        now=datetime.now(UTC),
    )


def call(tool: Tool, arguments: dict[str, Any], key: str = "key-1") -> Any:
    return tool.function(context(key), tool.arguments.model_validate(arguments))


def show(tool: Tool, **arguments: Any) -> Any:
    return tool.show(context(), tool.arguments.model_validate(arguments))


@pytest.fixture
def connected(settings: Settings, provider: Process) -> Process:
    """The tools reach the test's provider."""
    settings.COUNTERSIGN = django_settings.COUNTERSIGN.model_copy(
        update={"demo_provider_url": provider.url}
    )
    return provider


REFUND = {"order": "ORD-10001", "amount": "420.00"}


def test_refund_desk_is_found_by_autodiscovery() -> None:
    assert registry.get("refund-desk") is refund_desk
    assert refund_desk.owner == "support"


def test_what_the_tools_declare_is_what_the_gate_needs() -> None:
    declared = {
        tool.name: (tool.risk, set(tool.effects), tool.effect_class, tool.reversible)
        for tool in refund_desk.tools
        if tool.consequential
    }
    assert declared == {
        "issue_refund": (Risk.HIGH, {Effect.MONEY}, EffectClass.IDEMPOTENT, False),
        "send_email": (
            Risk.HIGH,
            {Effect.EXTERNAL_COMMUNICATION},
            EffectClass.QUERYABLE,
            False,
        ),
    }
    assert issue_refund.identity == send_email.identity == {"order"}
    assert issue_refund.cosmetic == {"reason"}
    assert send_email.cosmetic == set()
    assert look_up_order.risk is Risk.LOW
    assert look_up_order.trust is Trust.UNTRUSTED
    assert read_refund_rules.risk is Risk.LOW
    assert read_refund_rules.trust is Trust.TRUSTED


def test_the_input_is_a_plain_text_or_a_ticket() -> None:
    plain = refund_desk.input.model_validate("Refund €5")
    assert plain == refund_desk.input.model_validate({"ticket": "Refund €5"})
    for wrong in ("", " \n", {"ticket": ""}, {"ticket": "\t "}, {"text": "x"}, 7, None):
        with pytest.raises(ValidationError):
            refund_desk.input.model_validate(wrong)


@pytest.mark.parametrize("amount", ["42", "42.0", "42.00", 42])
@pytest.mark.parametrize("order", ["ORD-10001", "ord 10001", "#10001", "10001"])
def test_one_refund_has_one_digest_however_it_is_written(order: str, amount: Any) -> None:
    arguments = issue_refund.arguments.model_validate({"order": order, "amount": amount})
    expected = {"order": "ORD-10001", "amount": "42.00", "reason": ""}
    normalised = arguments.model_dump(mode="json")
    assert normalised == expected
    assert action_digest("issue_refund", "1", normalised) == action_digest(
        "issue_refund", "1", expected
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"order": "ORD-10001", "amount": "0"},
        {"order": "ORD-10001", "amount": "-1.00"},
        {"order": "ORD-10001", "amount": "1.001"},
        {"order": "ORD-10001", "amount": "NaN"},
        {"order": "ORD-10001", "amount": "100000000.00"},
        {"order": "every order", "amount": "1.00"},
        {"order": "ORD-10001", "amount": "1.00", "account": "mine"},
        {"order": "ORD-10001"},
    ],
)
def test_what_is_no_refund_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        issue_refund.arguments.model_validate(arguments)


def test_an_order_is_looked_up(tablets: Order) -> None:
    sheet = call(look_up_order, {"order": "10001"})
    assert sheet.customer == "Acme GmbH"
    assert sheet.refundable == sheet.total == tablets.total
    assert sheet.days_since_delivery == 6
    assert look_up_order.result.validate_python(sheet) == sheet


def test_an_order_that_does_not_exist_is_an_error_to_learn_from(shop: None) -> None:
    with pytest.raises(Terminal, match="ORD-99999"):
        call(look_up_order, {"order": "ORD-99999"})


def test_the_rules_name_the_window() -> None:
    rules = call(read_refund_rules, {})
    assert rules.window_days == WINDOW_DAYS
    assert rules.rules


def test_a_refund_is_paid_with_the_key_of_its_effect(tablets: Order, connected: Process) -> None:
    receipt = call(issue_refund, REFUND, key="cs-1")
    (made,) = connected.calls()
    assert made["key"] == "cs-1"
    assert made["body"] == {"payment": "pay_10001", "amount": "420.00", "currency": "EUR"}
    assert receipt.reference == made["refund"]["id"]
    assert Refund.objects.get(idempotency_key="cs-1").amount == Decimal("420.00")
    assert call(issue_refund, REFUND, key="cs-1") == receipt
    assert sum(again["refund"] is not None for again in connected.calls()) == 1


def test_too_much_is_an_error_to_learn_from(tablets: Order, connected: Process) -> None:
    with pytest.raises(Terminal, match=r"1050000\.00"):
        call(issue_refund, {**REFUND, "amount": "1050000.01"})
    assert connected.calls() == []


def test_a_lost_answer_is_never_called_a_failure(tablets: Order, connected: Process) -> None:
    connected.ask("POST", "/knobs", {"mode": "drop"})
    with pytest.raises(OutcomeUnknown):
        call(issue_refund, REFUND)


def test_a_refund_can_be_verified(tablets: Order, connected: Process) -> None:
    arguments = issue_refund.arguments.model_validate(REFUND)
    assert issue_refund.verifier is not None
    receipt = call(issue_refund, REFUND)
    assert issue_refund.verifier(context(), arguments, receipt)
    Refund.objects.update(amount=Decimal("1.00"))
    assert not issue_refund.verifier(context(), arguments, receipt)


def test_the_preview_is_a_sentence_with_the_numbers_behind_it(tablets: Order) -> None:
    preview = show(issue_refund, **REFUND)
    facts = {fact.label: fact.value for fact in preview.facts}
    assert preview.title == "Refund €420.00 to Acme GmbH"
    assert preview.subject == "Order ORD-10001"
    assert "€420.00 of the €1,050,000.00 paid" in preview.summary
    assert facts["Bought"] == "2,500 × Tablet at €420.00"
    assert facts["Left after this refund"] == "€1,049,580.00"
    assert facts["Delivered"].endswith("6 days ago")
    assert preview.warnings == ()


def test_the_preview_warns_of_a_twin(tablets: Order, connected: Process) -> None:
    call(issue_refund, REFUND)
    (warning,) = show(issue_refund, **REFUND).warnings
    assert "already been refunded" in warning
    assert show(issue_refund, order="ORD-10001", amount="421.00").warnings == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"order": "ORD-10001", "amount": "1050000.01"}, "more than can still be refunded"),
        ({"order": "ORD-10004", "amount": "89.00"}, "more than 90 days ago"),
        ({"order": "ORD-99999", "amount": "1.00"}, "has no order ORD-99999"),
    ],
)
def test_the_preview_warns_of_what_will_not_do(
    shop: None, arguments: dict[str, str], words: str
) -> None:
    (warning,) = show(issue_refund, **arguments).warnings
    assert words in warning


def test_a_preview_changes_nothing(tablets: Order, connected: Process) -> None:
    show(issue_refund, **REFUND)
    assert connected.calls() == []
    assert tablets.given_back() == 0


def token(key: str = "key-1") -> str:
    assert issue_refund.token_reader is not None
    return str(
        issue_refund.token_reader(context(key), issue_refund.arguments.model_validate(REFUND))
    )


def test_the_state_token_changes_with_other_refunds_only(
    tablets: Order, connected: Process
) -> None:
    before = token("mine")
    call(issue_refund, REFUND, key="mine")
    assert token("mine") == before
    assert token("another") != before
    call(issue_refund, {**REFUND, "amount": "1.00"}, key="another")
    assert token("mine") != before


def test_a_refund_locks_its_order() -> None:
    assert issue_refund.lock_namer is not None
    arguments = issue_refund.arguments.model_validate(REFUND)
    assert issue_refund.lock_namer(arguments) == ["order:ORD-10001"]


MAIL = {"order": "ORD-10001", "subject": "Your refund", "body": "It is on its way."}


def test_a_mail_goes_to_the_customer_of_the_order_once(tablets: Order) -> None:
    note = call(send_email, MAIL)
    assert call(send_email, MAIL) == note
    (sent,) = mail.outbox
    assert sent.to == ["orders@acme-gmbh.example"]
    assert sent.subject == "Your refund"
    assert SentMail.objects.get(idempotency_key="key-1").body == "It is on its way."


def test_a_mail_that_went_out_is_found_by_its_key(tablets: Order) -> None:
    arguments = send_email.arguments.model_validate(MAIL)
    assert send_email.looker is not None
    assert send_email.looker(context(), arguments) is None
    note = call(send_email, MAIL)
    assert send_email.looker(context(), arguments) == note


def test_a_mail_server_that_fails_leaves_no_note(
    tablets: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise ConnectionError

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    with pytest.raises(ConnectionError):
        call(send_email, MAIL)
    assert not SentMail.objects.exists()


def test_a_mail_cannot_smuggle_headers_or_pick_an_address() -> None:
    for wrong in ({**MAIL, "subject": "a\nBcc: x@y.example"}, {**MAIL, "to": "x@y.example"}):
        with pytest.raises(ValidationError):
            send_email.arguments.model_validate(wrong)


def test_the_preview_of_a_mail_shows_who_gets_it(tablets: Order) -> None:
    preview = show(send_email, **MAIL)
    assert preview.title == "Write to Acme GmbH: Your refund"
    assert preview.message is not None
    assert preview.message.to == ("orders@acme-gmbh.example",)
    assert preview.message.text == MAIL["body"]


def test_old_deliveries_are_dated_from_the_day_they_arrived(tablets: Order) -> None:
    Order.objects.filter(pk=tablets.pk).update(
        delivered_on=datetime.now(UTC).date() - timedelta(days=1)
    )
    facts = {fact.label: fact.value for fact in show(issue_refund, **REFUND).facts}
    assert facts["Delivered"].endswith("1 day ago")


def test_every_agent_of_the_demo_is_declared_once() -> None:
    assert demo_agents.refund_desk in registry.all_agents()
    assert len({tool.name for tool in refund_desk.tools}) == len(refund_desk.tools)
