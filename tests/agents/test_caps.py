"""Caps of a run: each is counted, parks the run for a person, and says in a sentence which it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from django.utils import translation

from accounts.callers import Caller
from accounts.errors import Forbidden
from accounts.models import User
from agents import amounts
from agents.authoring import Budget, Risk, Terminal, ToolContext, tool
from agents.models import Run
from agents.services.claim import claim, fenced
from agents.services.release import release
from agents.sweep import sweep_once
from agents.timeline import read_timeline
from agents.usage import believed_in, believed_out, most_tokens_in
from approvals.errors import BadBody
from approvals.forms import CapsForm
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.clock import database_now
from tests.agents.bank import Account, Bank, teller, tools_of
from tests.agents.conftest import Counter, host
from tests.agents.test_effects import PAY
from tests.agents.test_prices import price
from tests.model_server import Answer, call, calls, completion, final, judged, says


def read(account: str) -> Answer:
    """A reply that reads one balance."""
    return calls(call("read_balance", judged({"account": account})))


def reads(number: int) -> list[Answer]:
    """Replies that read one balance each, always another."""
    return [read(f"A{place}") for place in range(number)]


def told_of(run: Run, person: User) -> str:
    """The newest line of the run's timeline."""
    row = read_timeline(run, Caller.of_session(person), now=database_now()).rows[-1]
    return f"{row.title}. {row.about}"


@tool(risk=Risk.LOW)
def read_ledger(ctx: ToolContext, account: Account) -> str:
    """Reads a page that is never there."""
    raise Terminal(f"There is no page {account.account}.")


REACHED = {
    "steps": (
        {"steps": 4},
        "Reached its limit of steps. It has taken 4 of 4 steps.",
    ),
    "model_calls": (
        {"model_calls": 2},
        "Reached its limit of model calls. It has asked its model 2 of 2 times.",
    ),
    "tool_calls": (
        {"tool_calls": 2},
        "Reached its limit of tool calls. It has made 2 of 2 tool calls.",
    ),
}


@pytest.mark.parametrize("cap", REACHED)
def test_a_run_that_reaches_a_cap_waits_for_a_person_and_says_which(
    counter: Counter, bank: Bank, reviewer: User, cap: str
) -> None:
    caps, sentence = REACHED[cap]
    host(teller(bank, budget=Budget(**caps)))
    run = counter.start([*reads(5), final(summary="ok")])
    assert run.state == "waiting"
    assert told_of(run, reviewer) == sentence
    request = counter.request(run)
    assert (request.kind, request.owner_group.slug if request.owner_group else "") == (
        "budget",
        "finance",
    )
    assert request.title == f"Teller has reached its limit of {amounts.name_of(cap)}"


def test_what_is_kept_of_a_cap_is_in_no_language_and_read_in_each(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(**REACHED["tool_calls"][0])))
    with translation.override("de"):
        run = counter.start([*reads(5), final(summary="ok")])
        request = counter.request(run)
        assert amounts.name_of("tool_calls") == "Werkzeugaufrufe"
    assert request.title == "Teller has reached its limit of tool calls"


@pytest.mark.parametrize("cap", REACHED)
def test_a_run_whose_cap_was_raised_goes_on_to_its_end(
    counter: Counter, bank: Bank, reviewer: User, cap: str
) -> None:
    host(teller(bank, budget=Budget(**REACHED[cap][0])))
    run = counter.start([*reads(3), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={cap: 9})
    run = counter.go_on(run)
    assert (run.state, run.tool_calls) == ("succeeded", 3)


def test_a_run_that_a_person_stops_at_its_cap_ends(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(tool_calls=1)))
    run = counter.start(reads(3))
    counter.decide(counter.request(run), Verdict.STOP, reviewer, reason="Enough.")
    run.refresh_from_db()
    assert (run.state, run.outcome) == ("cancelled", "stopped")


def test_the_tokens_that_a_call_may_take_are_counted_before_it_is_made(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(tokens=5_000)))
    run = counter.start([final(summary="ok")])
    assert (run.state, counter.model.requests) == ("waiting", [])
    told = told_of(run, reviewer)
    assert "It has used 0 of 5,000 tokens. The next call may take up to" in told
    counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={"tokens": 10_000})
    assert counter.go_on(run).state == "succeeded"


def test_a_call_that_would_pass_the_tokens_later_on_is_not_made_either(
    counter: Counter, bank: Bank
) -> None:
    host(teller(bank, budget=Budget(tokens=9_000)))
    long = completion(
        {"tool_calls": [call("read_balance", judged({"account": "A1"}))]},
        usage={"prompt_tokens": 1_000, "completion_tokens": 4_000},
    )
    run = counter.start([long, final(summary="ok")])
    assert (run.state, len(counter.model.requests)) == ("waiting", 1)
    assert counter.request(run).kind == "budget"


def test_a_run_that_has_spent_its_money_waits_for_a_person(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(cost_micros=250_000)))
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    Run.objects.filter(pk=run.pk).update(cost_micros=250_000)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert told_of(run, reviewer) == "Reached its limit of cost. It has spent $0.25 of $0.25."
    counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={"cost_micros": 50_000})
    assert (counter.go_on(run).state, len(bank.sent)) == ("succeeded", 1)
    assert (
        "cost by $0.05"
        in read_timeline(run, Caller.of_session(reviewer), now=database_now()).rows[-3].note
    )


@pytest.mark.parametrize(("allowed", "asked"), [(20_000, 0), (60_000, 1)])
def test_what_a_call_may_cost_is_counted_before_it_is_made(
    counter: Counter, bank: Bank, admin: User, allowed: int, asked: int
) -> None:
    price(admin)
    host(teller(bank, budget=Budget(cost_micros=allowed)))
    run = counter.start([final(summary="ok")])
    assert len(counter.model.requests) == asked
    assert run.state == ("succeeded" if asked else "waiting")


def test_a_run_that_may_spend_nothing_asks_models_that_cost_nothing(
    counter: Counter, bank: Bank, admin: User
) -> None:
    host(teller(bank, budget=Budget(cost_micros=0)))
    price(admin, input_micros=0, cached_micros=0, output_micros=0)
    assert counter.start([final(summary="ok")]).state == "succeeded"
    price(admin, holds_from=datetime(2026, 2, 1, tzinfo=UTC))
    assert counter.start([final(summary="ok")]).state == "waiting"


def test_a_run_that_was_at_work_for_long_enough_waits_for_a_person(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(active_seconds=90)))
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    Run.objects.filter(pk=run.pk).update(active_seconds=90.5)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert told_of(run, reviewer).endswith(
        "It has been at work for 1 minute 30 seconds of 1 minute 30 seconds."
    )


def test_time_counts_while_a_worker_has_the_run_and_not_while_it_waits(counter: Counter) -> None:
    run = counter.start([calls(call("pay", PAY))])
    worked = run.active_seconds
    assert (run.state, run.claimed_at) == ("waiting", None)
    assert 0 < worked < (database_now() - run.created_at).total_seconds()
    Run.objects.filter(pk=run.pk).update(parked_at=F("parked_at") - timedelta(hours=5))
    Run.objects.filter(pk=run.pk).update(state="ready")
    claimed = claim(run.pk, owner="test")
    assert claimed is not None
    assert claimed.run.active_seconds == worked
    Run.objects.filter(pk=run.pk).update(claimed_at=F("claimed_at") - timedelta(seconds=100))
    release(claimed.lease)
    run.refresh_from_db()
    assert worked + 100 <= run.active_seconds < worked + 110


def test_a_worker_that_died_worked_no_longer_than_its_lease_lasted(counter: Counter) -> None:
    run = counter.start([calls(call("pay", PAY))])
    worked = run.active_seconds
    Run.objects.filter(pk=run.pk).update(state="ready")
    assert claim(run.pk, owner="test") is not None
    long_ago = database_now() - timedelta(hours=2)
    Run.objects.filter(pk=run.pk).update(
        claimed_at=long_ago, lease_expires_at=long_ago + timedelta(seconds=30)
    )
    assert sweep_once()["leases_expired"] == 1
    run.refresh_from_db()
    assert run.active_seconds == pytest.approx(worked + 30)


def faulty(bank: Bank, **caps: int) -> None:
    """A teller whose ledger is never there."""
    host(teller(bank, tools=[*tools_of(bank), read_ledger], budget=Budget(**caps)))


def ledger(*accounts: str) -> Answer:
    """A reply that reads these pages of the ledger."""
    return calls(*(call("read_ledger", judged({"account": account})) for account in accounts))


def test_a_run_of_which_nothing_but_errors_come_waits_for_a_person(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    faulty(bank, errors=3)
    run = counter.start([ledger("1", "2"), says("Hm."), ledger("3"), final(summary="ok")])
    assert run.state == "waiting"
    assert told_of(run, reviewer) == (
        "Reached its limit of errors in a row. "
        "Nothing but errors came of 3 turns in a row, and 3 are the most."
    )
    counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={"errors": 1})
    assert counter.go_on(run).state == "succeeded"


def test_errors_between_which_something_works_are_none_in_a_row(
    counter: Counter, bank: Bank
) -> None:
    faulty(bank, errors=2)
    between = [answer for place in range(5) for answer in (ledger(str(place)), read(f"A{place}"))]
    assert counter.start([*between, final(summary="ok")]).state == "succeeded"


def test_a_refused_call_is_no_error(counter: Counter, bank: Bank, reviewer: User) -> None:
    host(teller(bank, budget=Budget(errors=1)))
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    assert counter.go_on(run).state == "succeeded"


# -- who may raise a cap, and how far


def test_a_cap_is_raised_by_nobody_outside_the_owner_group(
    counter: Counter, bank: Bank, operator: User, auditor: User
) -> None:
    host(teller(bank, budget=Budget(tool_calls=1)))
    run = counter.start(reads(3))
    request = counter.request(run)
    for person in (operator, auditor):
        with pytest.raises(Forbidden):
            counter.decide(request, Verdict.EXTEND, person, caps={"tool_calls": 5})
    run.refresh_from_db()
    assert (run.state, run.extra_caps) == ("waiting", {})
    assert ApprovalRequest.objects.get(pk=request.pk).state == "pending"


def test_a_cap_is_raised_no_further_than_an_admin_allows(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(tool_calls=2)))
    run = counter.start(reads(4))
    with pytest.raises(BadBody, match="at most 18"):
        counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={"tool_calls": 19})
    run.refresh_from_db()
    assert (run.state, run.extra_caps) == ("waiting", {})
    counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={"tool_calls": 18})
    assert counter.go_on(run).extra_caps == {"tool_calls": 18}


@pytest.mark.parametrize(
    ("cap", "written", "taken"),
    [
        ("cost_micros", "0.25", 250_000),
        ("active_seconds", "2", 120),
        ("tokens", "1000", 1_000),
    ],
)
def test_the_form_takes_money_and_minutes(cap: str, written: str, taken: int) -> None:
    reached = {"used": 600_000, "limit": 600_000, "most": 6_000_000}
    question = {"caps": {cap: 600_000}, "raising": {cap: amounts.raising(cap, reached)}}
    form = CapsForm(question, {cap: written})
    assert form.is_valid(), form.errors
    assert form.body() == {"caps": {cap: taken}}


@pytest.mark.parametrize(
    ("cap", "used", "most"),
    [
        ("cost_micros", "$0.60 used up.", "At most $1,234.50 more."),
        ("active_seconds", "166 hours 40 minutes used up.", "At most 20,575,000 more."),
        ("tokens", "600,000 used up.", "At most 1,234,500,000 more."),
    ],
)
def test_the_form_says_in_units_how_far_a_cap_may_be_raised_where_somebody_said_so(
    cap: str, used: str, most: str
) -> None:
    def told(reached: dict[str, int]) -> str:
        question = {"caps": {cap: 600_000}, "raising": {cap: amounts.raising(cap, reached)}}
        return str(CapsForm(question).fields[cap].help_text)

    reached = {"used": 600_000, "limit": 600_000}
    assert told(reached) == used
    assert told({**reached, "most": 1_234_500_000}) == f"{used} {most}"


@pytest.mark.parametrize(("most", "said"), [(500, "At most 500 more"), (0, "cannot be raised")])
def test_the_form_says_at_its_field_how_far_a_cap_may_be_raised(most: int, said: str) -> None:
    reached = {"used": 600, "limit": 600, "most": most}
    question = {"caps": {"tokens": 600}, "raising": {"tokens": amounts.raising("tokens", reached)}}
    form = CapsForm(question, {"tokens": "501"})
    assert said in str(form.errors["tokens"])


# -- what a server reports

REQUEST: dict[str, Any] = {"messages": [{"role": "user", "content": "word " * 1_200}], "tools": []}


@pytest.mark.parametrize(("reported", "counted"), [(0, 1_005), (1_500, 1_500), (2**31 - 1, 16_033)])
def test_what_a_server_reports_of_a_request_is_believed_where_it_can_be_true(
    reported: int, counted: int
) -> None:
    assert believed_in(reported, REQUEST) == counted


@pytest.mark.parametrize(("reported", "counted"), [(0, 100), (9_000, 9_000), (10**9, 250_600)])
def test_what_a_server_reports_of_a_reply_is_believed_where_it_can_be_true(
    reported: int, counted: int
) -> None:
    assert believed_out(reported, "x" * 300, ["y" * 300]) == counted


def test_where_a_server_reports_nothing_three_bytes_are_a_token() -> None:
    assert believed_in(None, REQUEST) == 2_011
    assert believed_out(None, "x" * 300, []) == 100


def test_what_a_call_may_take_is_more_than_what_it_can_have_taken() -> None:
    assert believed_in(0, REQUEST) < most_tokens_in(REQUEST)


def test_a_server_that_reports_no_usage_does_not_evade_the_cap_of_tokens(
    counter: Counter, bank: Bank
) -> None:
    host(teller(bank, budget=Budget(tokens=20_000)))
    words = "The account holder writes at length. " * 400

    def lying(_request: dict[str, Any]) -> Answer:
        account = f"A{len(counter.model.requests)}"
        made = call("read_balance", judged({"account": account}))
        return completion(
            {"content": words, "tool_calls": [made]},
            usage={"prompt_tokens": 0, "completion_tokens": 0},
        )

    run = counter.start(lying)
    request = counter.request(run)
    assert (run.state, request.kind) == ("waiting", "budget")
    assert request.question is not None
    assert list(request.question["caps"]) == ["tokens"]


@pytest.mark.parametrize(
    ("micros", "written"),
    [(0, "$0.00"), (1, "$0.000001"), (250_000, "$0.25"), (1_234_500_000, "$1,234.50")],
)
def test_money_is_written_with_two_places_or_as_many_as_it_takes(micros: int, written: str) -> None:
    assert amounts.money(micros) == written
    assert Decimal(written.replace(",", "").removeprefix("$")) * 1_000_000 == micros


def test_a_fenced_run_knows_since_when_its_worker_has_it(counter: Counter) -> None:
    run = counter.start([calls(call("pay", PAY))])
    Run.objects.filter(pk=run.pk).update(state="ready")
    claimed = claim(run.pk, owner="test")
    assert claimed is not None
    with fenced(claimed.lease) as held:
        assert held.claimed_at is not None


def test_an_agent_that_sets_no_new_cap_keeps_its_version(bank: Bank) -> None:
    plain = teller(bank).definition["budget"]
    assert plain == {"steps": 40, "model_calls": 20, "tool_calls": 30, "tokens": 200_000}
    capped = teller(bank, budget=Budget(errors=3)).definition["budget"]
    assert capped == {**plain, "errors": 3}
