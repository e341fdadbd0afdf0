"""What bounced did not happen in the end: nothing takes it back."""

from __future__ import annotations

import pytest

from accounts.callers import Caller
from accounts.models import User
from agents.authoring import Accepted, Effect, EffectClass, Risk, ToolContext, Trust, tool
from agents.models import EffectRecord, Run, Step
from agents.services.ask_undo import ask_undo
from agents.services.hear_callback import Callback, hear_callback
from agents.states import EffectState
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, Payment, Receipt, teller
from tests.agents.conftest import Counter, host
from tests.agents.test_effects import PAY
from tests.model_server import call, calls, final


@pytest.fixture
def taken_back(bank: Bank, counter: Counter) -> list[str]:
    """The accounts whose payout was taken back; the teller pays out, which its provider only accepts."""
    done: list[str] = []

    @tool(
        risk=Risk.HIGH,
        effects={Effect.MONEY},
        reversible=True,
        effect_class=EffectClass.IDEMPOTENT,
        trust=Trust.TRUSTED,
        callback="postbox",
    )
    def pay_out(ctx: ToolContext, payment: Payment) -> Accepted[Receipt]:
        """Pay out."""
        return Accepted(bank.take(ctx, payment), reference=f"payout {payment.account}")

    @pay_out.preview
    def show(ctx: ToolContext, payment: Payment) -> str:
        return f"Pay out to {payment.account}"

    @pay_out.undo
    def claw_back(ctx: ToolContext, payment: Payment, receipt: Receipt | None) -> None:
        done.append(payment.account)

    host(teller(bank, tools=[*teller(bank).tools, pay_out]))
    return done


def paid_out(counter: Counter, reviewer: User) -> Run:
    run = counter.start([calls(call("pay_out", PAY)), final(summary="done")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    return counter.go_on(run)


def undo_asked(run: Run, operator: User) -> Run:
    """The run that holds the undo."""
    effect = EffectRecord.objects.get(run=run)
    caller = Caller.of_session(operator)
    return ask_undo(run_id=run.pk, effect_id=effect.pk, reason="Wrong.", caller=caller)


def bounce(run: Run) -> None:
    reference = EffectRecord.objects.get(run=run).reference
    hear_callback(
        provider="postbox", callback=Callback("msg", EffectState.BOUNCED, reference=reference)
    )


def why(run: Run) -> str:
    """What became of the undo."""
    return Step.objects.get(run=run, name="undo_pay_out").problem


def test_what_bounces_before_its_undo_is_proposed_asks_nobody(
    counter: Counter, taken_back: list[str], operator: User, reviewer: User
) -> None:
    run = paid_out(counter, reviewer)
    undo_run = undo_asked(run, operator)
    bounce(run)
    undo_run = counter.go_on(undo_run)
    assert (undo_run.state, why(undo_run), taken_back) == ("failed", "did_not_happen", [])
    assert not ApprovalRequest.objects.filter(run_id=undo_run.pk).exists()


@pytest.mark.parametrize("moment", ["before the verdict", "after the approval"])
def test_what_bounces_while_its_undo_is_decided_is_not_taken_back(
    counter: Counter, taken_back: list[str], operator: User, reviewer: User, moment: str
) -> None:
    run = paid_out(counter, reviewer)
    undo_run = counter.go_on(undo_asked(run, operator))
    request = counter.request(undo_run)
    if moment == "before the verdict":
        bounce(run)
    counter.decide(request, Verdict.APPROVE, reviewer)
    if moment == "after the approval":
        bounce(run)
    undo_run = counter.go_on(undo_run)
    assert (undo_run.state, why(undo_run), taken_back) == ("failed", "did_not_happen", [])
    request.refresh_from_db()
    assert request.state == "lapsed"


def test_what_its_provider_confirms_meanwhile_is_taken_back(
    counter: Counter, taken_back: list[str], operator: User, reviewer: User
) -> None:
    run = paid_out(counter, reviewer)
    undo_run = counter.go_on(undo_asked(run, operator))
    counter.decide(counter.request(undo_run), Verdict.APPROVE, reviewer)
    reference = EffectRecord.objects.get(run=run).reference
    hear_callback(
        provider="postbox", callback=Callback("msg", EffectState.CONFIRMED, reference=reference)
    )
    assert counter.go_on(undo_run).state == "succeeded"
    assert taken_back == ["A1"]
