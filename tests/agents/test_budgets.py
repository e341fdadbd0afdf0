"""What an agent may spend in a day and a month: summed as it is spent, and kept to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.errors import Forbidden
from accounts.models import ReviewGroup, User
from agents.agent_budgets import begins_on, spent_by
from agents.agent_limits import AgentLimits, Spend
from agents.authoring import Budget
from agents.errors import BudgetSpent, LimitsInvalid
from agents.llm_types import Reply
from agents.models import AgentSpend, BudgetNotice, HostedAgent, Run, Step
from agents.services.charge_agent import charge_reply
from agents.services.mail_budget import mail_budget
from agents.services.set_limits import set_limits
from agents.services.start_run import start_run
from agents.sweep import sweep_once
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.clock import database_now
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.test_caps import price, read, reads, told_of
from tests.agents.test_effects import PAY, Killed, die
from tests.model_server import call, calls, final


def limit(who: User, **limits: object) -> HostedAgent:
    """Set what the teller may use."""
    given = AgentLimits.model_validate(limits)
    return set_limits(slug="teller", limits=given, caller=Caller.of_session(who))


def spend(**amounts: int) -> None:
    """As if the teller had spent so much today."""
    hosted = HostedAgent.objects.get(slug="teller")
    today = begins_on("day", database_now())
    AgentSpend.objects.update_or_create(agent=hosted, day=today, part=0, defaults=amounts)


def spent() -> dict[str, int]:
    return spent_by(HostedAgent.objects.get(slug="teller").pk, database_now())


# -- charged


def test_what_a_run_spends_is_charged_to_its_agent_and_day(counter: Counter, admin: User) -> None:
    price(admin)
    run = counter.start([*reads(2), final(summary="ok")])
    assert run.cost_micros > 0
    tokens = run.tokens_in + run.tokens_out
    assert spent() == {
        "day_cost_micros": run.cost_micros,
        "day_tokens": tokens,
        "month_cost_micros": run.cost_micros,
        "month_tokens": tokens,
    }
    assert sum(AgentSpend.objects.values_list("calls", flat=True)) == run.model_calls == 3


def test_a_month_is_the_sum_of_its_days_and_of_no_other(counter: Counter) -> None:
    hosted = HostedAgent.objects.get(slug="teller")
    for day, tokens in (("2026-04-30", 1), ("2026-05-01", 10), ("2026-05-31", 100)):
        AgentSpend.objects.create(agent=hosted, day=day, part=3, tokens=tokens)
    at = datetime(2026, 5, 31, 23, 59, tzinfo=UTC)
    found = spent_by(hosted.pk, at)
    assert (found["day_tokens"], found["month_tokens"]) == (100, 110)
    later = spent_by(hosted.pk, at + timedelta(minutes=1))
    assert (later["day_tokens"], later["month_tokens"]) == (0, 0)


def test_a_day_is_that_of_utc_whatever_the_time_zone_of_the_moment() -> None:
    east = datetime.fromisoformat("2026-06-01T01:30:00+05:00")
    assert str(begins_on("day", east)) == "2026-05-31"
    assert str(begins_on("month", east)) == "2026-05-01"


def test_a_call_that_a_process_died_after_is_charged_once(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    bank.trouble = die
    with pytest.raises(Killed):
        counter.go_on(run)
    bank.trouble = None
    Run.objects.filter(pk=run.pk).update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    sweep_once()
    run = counter.go_on(run)
    assert run.state == "succeeded"
    assert spent()["day_tokens"] == run.tokens_in + run.tokens_out
    assert sum(AgentSpend.objects.values_list("calls", flat=True)) == run.model_calls == 2


def test_a_reply_is_priced_in_one_statement_and_charged_in_another(counter: Counter) -> None:
    counter.start([final(summary="ok")])
    with CaptureQueriesContext(connection) as asked:
        run = counter.start([final(summary="ok")])
    said = [each["sql"] for each in asked]
    (priced,) = [sql for sql in said if "agents_modelprice" in sql]
    assert "agents_reportedmodel" in priced
    assert not [sql for sql in said if "agents_reportedmodel" in sql and sql != priced]
    (charged,) = [sql for sql in said if "agents_agentspend" in sql]
    assert "UPDATE agents_run" in charged
    assert run.model_calls == 1


def charge(run: Run) -> None:
    """Charge one token to the run and its agent."""
    reply = Reply({}, "", (), "m", "stop", tokens_in=1, tokens_out=0)
    charge_reply(Run.objects.select_related("agent").get(pk=run.pk), reply, 0)


# -- spent


@pytest.mark.parametrize("span", ["day", "month"])
def test_no_new_run_starts_once_the_budget_is_spent(
    counter: Counter, admin: User, operator: User, span: str
) -> None:
    limit(admin, **{span: {"tokens": 1_000}})
    spend(tokens=1_000)
    with pytest.raises(BudgetSpent) as refused:
        start_run(agent="teller", input="Pay.", caller=Caller.of_session(operator))
    assert refused.value.code == "budget_spent"
    assert refused.value.params == {"agent": "teller", "span": span}
    assert "have used 1,000 of the 1,000 tokens" in refused.value.detail
    assert not Run.objects.exists()


def test_the_first_run_under_the_same_key_is_given_again_though_the_budget_is_spent(
    counter: Counter, admin: User, operator: User
) -> None:
    caller = Caller.of_session(operator)
    run, _ = start_run(agent="teller", input="Pay.", caller=caller, idempotency_key="one")
    limit(admin, day={"tokens": 1_000})
    spend(tokens=1_000)
    again, new = start_run(agent="teller", input="Pay.", caller=caller, idempotency_key="one")
    assert (again.pk, new) == (run.pk, False)


def test_a_run_at_work_waits_for_the_owner_group_once_the_budget_is_spent(
    counter: Counter, admin: User, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    limit(admin, day={"cost_micros": 2_000_000})
    spend(cost_micros=2_000_000)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    # What was approved is done; the model is not asked.
    assert (run.state, len(counter.model.requests)) == ("waiting", 1)
    assert told_of(run, reviewer) == (
        "Reached its limit of its agent's money for the day. "
        "All runs of its agent have spent $2.00 of the $2.00 for today (UTC)."
    )
    request = counter.request(run)
    assert request.owner_group is not None
    assert (request.kind, request.owner_group.slug) == ("budget", "finance")


def test_a_call_that_might_pass_the_budget_is_not_made(counter: Counter, admin: User) -> None:
    price(admin)
    limit(admin, month={"cost_micros": 100_000})
    spend(cost_micros=80_000)
    run = counter.start([final(summary="ok")])
    assert (run.state, counter.model.requests) == ("waiting", [])


def test_people_let_a_run_go_above_the_budget_by_the_share_that_an_admin_allows(
    counter: Counter, admin: User, reviewer: User
) -> None:
    limit(admin, day={"tokens": 100_000}, over_percent=10)
    spend(tokens=99_000)
    run = counter.start([final(summary="ok")])
    request = counter.request(run)
    with pytest.raises(Exception, match="at most 10000"):
        counter.decide(request, Verdict.EXTEND, reviewer, caps={"day_tokens": 10_001})
    counter.decide(request, Verdict.EXTEND, reviewer, caps={"day_tokens": 10_000})
    assert counter.go_on(run).state == "succeeded"
    spend(tokens=105_000)
    with pytest.raises(BudgetSpent):
        counter.start([final(summary="ok")])


def test_what_people_allowed_counts_no_further_than_an_admin_allows_now(
    counter: Counter, admin: User, reviewer: User
) -> None:
    limit(admin, day={"tokens": 100_000}, over_percent=10)
    spend(tokens=99_000)
    run = counter.start([final(summary="ok")])
    counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={"day_tokens": 10_000})
    limit(admin, day={"tokens": 100_000}, over_percent=0)
    run = counter.go_on(run)
    assert (run.state, counter.request(run).kind, counter.model.requests) == (
        "waiting",
        "budget",
        [],
    )


def test_what_people_allow_several_runs_does_not_add_up(
    counter: Counter, admin: User, reviewer: User
) -> None:
    limit(admin, day={"tokens": 100_000}, over_percent=10)
    spend(tokens=99_000)
    first, second = (counter.start([final(summary="ok")]) for _ in range(2))
    for run in (first, second):
        counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={"day_tokens": 10_000})
    spend(tokens=109_000)
    assert counter.go_on(first).state == "waiting"
    assert counter.go_on(second).state == "waiting"


# -- looked at anew


def test_a_run_that_waits_for_its_agents_budget_goes_on_once_an_admin_allows_more(
    counter: Counter, admin: User
) -> None:
    limit(admin, day={"tokens": 1_000})
    run = counter.start([final(summary="ok")])
    request = counter.request(run)
    assert sweep_once()["limits_looked_at"] == 0
    limit(admin, day={"tokens": 1_000_000})
    assert sweep_once()["limits_looked_at"] == 1
    run = counter.go_on(run)
    assert run.state == "succeeded"
    assert ApprovalRequest.objects.get(pk=request.pk).state == "superseded"
    assert sweep_once()["limits_looked_at"] == 0


def test_a_run_that_waits_for_a_day_goes_on_the_next_day(counter: Counter, admin: User) -> None:
    limit(admin, day={"tokens": 1_000})
    run = counter.start([final(summary="ok")])
    yesterday = database_now() - timedelta(days=1)
    Step.objects.filter(run=run, kind="budget").update(started_at=yesterday)
    HostedAgent.objects.update(limits_set_at=yesterday - timedelta(days=1))
    assert sweep_once()["limits_looked_at"] == 1


def test_a_run_whose_limit_still_holds_asks_anew_with_the_numbers_of_now(
    counter: Counter, admin: User
) -> None:
    limit(admin, day={"tokens": 1_000})
    run = counter.start([final(summary="ok")])
    limit(admin, day={"tokens": 2_000})
    assert sweep_once()["limits_looked_at"] == 1
    run = counter.go_on(run)
    request = counter.request(run)
    assert request.question is not None
    facts = {fact.label: fact.value for fact in request.what.facts}
    assert (run.state, facts["Limit"]) == ("waiting", "2,000")


def test_a_cap_that_an_admin_lowers_holds_for_a_run_under_way(
    counter: Counter, admin: User, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), *reads(5), final(summary="ok")])
    limit(admin, caps={"tool_calls": 3})
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, run.tool_calls) == ("waiting", 3)


def test_a_cap_that_an_admin_raises_within_the_declared_limits_lets_runs_go_on(
    counter: Counter, bank: Bank, admin: User
) -> None:
    host(teller(bank, budget=Budget(tool_calls=2), limits=Budget(tool_calls=6)))
    run = counter.start([*reads(4), final(summary="ok")])
    assert run.state == "waiting"
    limit(admin, caps={"tool_calls": 6})
    sweep_once()
    assert counter.go_on(run).state == "succeeded"


# -- set


@pytest.mark.parametrize("who", ["operator", "reviewer", "auditor"])
def test_limits_are_set_by_admins_alone(
    counter: Counter, request: pytest.FixtureRequest, who: str
) -> None:
    with pytest.raises(Forbidden):
        limit(request.getfixturevalue(who), day={"tokens": 5})
    assert HostedAgent.objects.get(slug="teller").limits == {}


@pytest.mark.parametrize(
    ("caps", "said"),
    [
        ({"steps": 41}, "declared with at most 40"),
        ({"steps": 0}, "greater than or equal to 1"),
        ({"sleep": 5}, "no such cap"),
    ],
)
def test_a_cap_stays_within_what_the_agent_declares(
    counter: Counter, admin: User, caps: dict[str, int], said: str
) -> None:
    with pytest.raises(LimitsInvalid, match=said):
        limit(admin, caps=caps)
    assert HostedAgent.objects.get(slug="teller").limits == {}


def test_setting_limits_is_recorded_with_all_of_them(counter: Counter, admin: User) -> None:
    limit(admin, caps={"steps": 20}, month={"cost_micros": 5_000_000})
    limit(admin, caps={"steps": 20}, month={"cost_micros": 5_000_000})
    event = Event.objects.get(type="agent.limits_set")
    assert json.loads(event.body)["facts"] == {
        "steps": 20,
        "month_cost_micros": 5_000_000,
        "extend_times": 10,
        "over_percent": 10,
    }


def test_a_definition_that_is_lowered_later_bounds_what_was_set(
    counter: Counter, bank: Bank, admin: User
) -> None:
    limit(admin, caps={"tool_calls": 20})
    host(teller(bank, budget=Budget(tool_calls=2)))
    run = counter.start(reads(9))
    assert (run.state, run.tool_calls) == ("waiting", 2)


# -- told


def test_the_owner_group_is_told_once_at_eighty_and_once_at_a_hundred_percent(
    counter: Counter, admin: User, reviewer: User
) -> None:
    limit(admin, day={"tokens": 100_000})
    for tokens, percents in ((79_000, []), (82_000, [80]), (90_000, [80]), (101_000, [80, 100])):
        spend(tokens=tokens)
        charge(_run(counter))
        told = BudgetNotice.objects.order_by("percent").values_list("percent", flat=True)
        assert list(told) == percents
    events = [
        json.loads(event.body)["facts"]
        for event in Event.objects.filter(type="agent.budget_spent").oldest_first()
    ]
    assert [(facts["percent"], facts["span"], facts["measure"]) for facts in events] == [
        (80, "day", "tokens"),
        (100, "day", "tokens"),
    ]


def _run(counter: Counter) -> Run:
    run = Run.objects.first()
    if run is None:
        hosted = HostedAgent.objects.get(slug="teller")
        assert hosted.active_version is not None
        run = Run.objects.create(
            agent=hosted,
            agent_version=hosted.active_version,
            initiator=counter.operator,
            input={},
            title="Spends",
            created_at=database_now(),
        )
    return run


def test_the_mail_about_a_budget_is_sent_once_and_swept_up_where_it_was_lost(
    counter: Counter, admin: User, reviewer: User, finance: ReviewGroup
) -> None:
    limit(admin, month={"cost_micros": 1_000_000})
    spend(cost_micros=1_000_000)
    charge(_run(counter))
    notice = BudgetNotice.objects.get(percent=80)
    admin.language = "de"
    admin.save()
    finance.memberships.create(user=admin)
    assert mail_budget(notice_id=notice.pk) >= 1
    (german,) = [sent for sent in mail.outbox if sent.to == [admin.email]]
    assert german.subject == "Teller hat 80 % seines Budgets für den Monat ausgegeben"
    assert "1,00\xa0$ von 1,00\xa0$" in german.body
    mail.outbox.remove(german)
    assert mail_budget(notice_id=notice.pk) == 0
    assert reviewer.email in {address for sent in mail.outbox for address in sent.to}
    assert mail.outbox[0].subject == "Teller has spent 80 % of its budget for the month"
    assert "has spent $1.00 of $1.00 that it may spend this month (UTC)" in mail.outbox[0].body
    BudgetNotice.objects.update(mail_due_at=database_now() - timedelta(hours=1))
    assert sweep_once()["budgets_mailed"] == 2
    assert mail_budget(notice_id=uuid4()) == 0


def test_nothing_may_be_spent_where_the_budget_is_zero_and_free_models_go_on(
    counter: Counter, admin: User
) -> None:
    limit(admin, day={"cost_micros": 0})
    assert counter.start([read("A1"), final(summary="ok")]).state == "succeeded"
    price(admin)
    assert counter.start([final(summary="ok")]).state == "waiting"


def test_limits_that_say_nothing_are_stored_as_nothing() -> None:
    assert AgentLimits(day=Spend()).stored() == {}
