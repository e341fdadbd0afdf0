"""Resources: one call at a time works on each; who waits holds nothing, and is told for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from agents import registry
from agents.authoring import Budget
from agents.models import HostedAgent, ResourceClaim, Run, Step
from agents.queueing import in_line
from agents.resources import runs_in_turn
from agents.services.control import cancel_run, pause_run, resume_run
from agents.services.operate_agent import disable_agent
from agents.services.take_locks import take_locks
from agents.sweep import sweep_once
from approvals.models import ApprovalRequest
from approvals.services.expire import past_deadline, past_execution
from approvals.vocabulary import Verdict
from audit.models import Event
from tests.agents.bank import Bank, Payment, teller
from tests.agents.conftest import TEST, Counter, host
from tests.agents.test_effects import Killed, die
from tests.agents.test_policy_and_runs import SMALL, rules_published
from tests.model_server import Answer, Script, call, calls, final, judged

Steps = Callable[[Run], list[Step]]


def locked(
    bank: Bank, name: str = "pay", by: Callable[[Payment], Iterable[str]] | None = None
) -> None:
    """Give a tool of the teller locks: on its account, unless told otherwise."""
    agent = registry.get("teller")
    tool = agent.tool(name)
    assert tool is not None
    tool.locks(by or (lambda payment: [f"account:{payment.account}"]))


def once(*made: dict[str, Any]) -> Script:
    """A model that makes these calls first, and ends when it reads their results, in any run."""

    def answer(request: dict[str, Any]) -> Answer:
        told = any(message["role"] == "tool" for message in request["messages"])
        return final(summary="ok") if told else calls(*made)

    return answer


def paying(account: str, amount: str = "42.00", *, tool: str = "pay") -> Script:
    """A model that makes one payment and ends."""
    return once(call(tool, judged({"account": account, "amount": amount})))


def turns_given() -> int:
    return sweep_once()["turns_given"]


def waits(run: Run) -> list[tuple[str, str]]:
    """The resources that calls of the run wait for, and the state of their steps."""
    rows = ResourceClaim.objects.filter(run=run, held=False).order_by("resource")
    return [(row.resource, row.step.state) for row in rows]


def test_two_calls_on_one_resource_go_one_after_the_other(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    locked(bank)
    first = counter.start(paying("A1"))
    second = counter.start(paying("A1"))
    assert (first.state, second.state) == ("waiting", "waiting")
    assert waits(second) == [("account:A1", "proposed")]
    assert not ApprovalRequest.objects.filter(run_id=second.pk).exists()
    assert turns_given() == 0
    counter.decide(counter.request(first), Verdict.APPROVE, reviewer)
    assert counter.go_on(first).state == "succeeded"
    assert turns_given() == 1
    second = counter.go_on(second)
    assert Step.objects.get(run=second, name="pay").locks == ["account:A1"]
    counter.decide(counter.request(second), Verdict.APPROVE, reviewer)
    assert counter.go_on(second).state == "succeeded"
    assert len(bank.sent) == 2
    assert not ResourceClaim.objects.exists()


def test_whose_turn_it_is_is_asked_of_all_of_some_lines_or_of_one_run(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    locked(bank)
    first, second, third = (counter.start(paying("A1")) for _ in range(3))
    assert runs_in_turn() == runs_in_turn(run=second.pk) == []
    counter.decide(counter.request(first), Verdict.APPROVE, reviewer)
    counter.go_on(first)
    assert runs_in_turn() == runs_in_turn(run=second.pk) == [second.pk]
    assert runs_in_turn(names=["account:A2", "account:A1"]) == [second.pk]
    assert runs_in_turn(run=third.pk) == runs_in_turn(names=["account:A2"]) == []


def test_calls_on_different_resources_do_not_wait_for_each_other(
    counter: Counter, bank: Bank
) -> None:
    locked(bank)
    runs = [counter.start(paying(account)) for account in ("A1", "A2")]
    assert ApprovalRequest.objects.filter(run_id__in=[run.pk for run in runs]).count() == 2


def test_who_settles_wakes_the_next_in_line_on_commit(
    counter: Counter,
    bank: Bank,
    reviewer: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    locked(bank)
    first, second, third = (counter.start(paying("A1")) for _ in range(3))
    counter.decide(counter.request(first), Verdict.APPROVE, reviewer)
    with django_capture_on_commit_callbacks(execute=True):
        counter.go_on(first)
    states = [Run.objects.get(pk=run.pk).state for run in (second, third)]
    assert states == ["ready", "waiting"]


def test_a_turn_that_comes_while_a_run_parks_is_not_missed(
    counter: Counter,
    bank: Bank,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    locked(bank)
    first = counter.start(paying("A1"))
    left = [first]

    def raced(*given: object) -> bool:
        taken = take_locks(*given)  # type: ignore[arg-type]
        if left:
            left.pop()
            ResourceClaim.objects.filter(run=first).delete()
        return taken

    monkeypatch.setattr("agents.turns.take_locks", raced)
    with django_capture_on_commit_callbacks(execute=True):
        second = counter.start(paying("A1"))
    assert Run.objects.get(pk=second.pk).state == "ready"


def test_a_call_takes_all_its_resources_or_none(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    locked(bank, by=lambda payment: payment.account.split("+"))
    first = counter.start(paying("x"))
    both = counter.start(paying("y+x"))
    last = counter.start(paying("y"))
    assert waits(both) == [("x", "proposed"), ("y", "proposed")]
    assert waits(last) == [("y", "proposed")]
    counter.decide(counter.request(first), Verdict.APPROVE, reviewer)
    counter.go_on(first)
    assert turns_given() == 1
    counter.go_on(both)
    assert ResourceClaim.objects.filter(run=both, held=True).count() == 2
    assert turns_given() == 0
    counter.decide(counter.request(both), Verdict.REJECT, reviewer, reason="No.")
    counter.go_on(both)
    assert turns_given() == 1


def test_two_calls_of_one_run_queue_too_and_the_others_go_on(
    counter: Counter, bank: Bank, reviewer: User, steps_of: Steps
) -> None:
    locked(bank)
    made = [
        call("pay", judged({"account": account, "amount": amount}))
        for account, amount in (("A1", "1.00"), ("A1", "2.00"), ("A2", "3.00"))
    ]
    run = counter.start(once(*made))
    assert [step.state for step in steps_of(run)[1:]] == ["waiting", "proposed", "waiting"]
    for _ in range(2):
        request = ApprovalRequest.objects.filter(run_id=run.pk, state="pending").earliest(
            "created_at"
        )
        counter.decide(request, Verdict.APPROVE, reviewer)
        run = counter.go_on(run)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert [amount for _, _, amount in bank.sent] == ["1.00", "3.00", "2.00"]


def test_an_allowed_call_waits_for_its_turn_too(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    locked(bank)
    first = counter.start(paying("A1"))
    rules_published(SMALL)
    second = counter.start(paying("A1", "5.00"))
    assert (second.state, bank.sent) == ("waiting", [])
    counter.decide(counter.request(first), Verdict.REJECT, reviewer, reason="No.")
    counter.go_on(first)
    assert turns_given() == 1
    assert counter.go_on(second).state == "succeeded"
    assert len(bank.sent) == 1


@pytest.mark.parametrize("how", ["rejected", "cancelled", "expired"])
def test_a_resource_is_free_again_however_its_call_ended(
    counter: Counter, bank: Bank, reviewer: User, operator: User, how: str
) -> None:
    locked(bank)
    first, second = counter.start(paying("A1")), counter.start(paying("A1"))
    request = counter.request(first)
    if how == "rejected":
        counter.decide(request, Verdict.REJECT, reviewer, reason="No.")
    elif how == "cancelled":
        cancel_run(run_id=first.pk, reason="", caller=Caller.of_session(operator))
    else:
        ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=F("created_at"))
        assert past_deadline(request.pk)
    counter.go_on(first)
    assert turns_given() == 1
    assert counter.go_on(second).state == "waiting"
    assert counter.request(second).kind == "action"


def test_a_call_that_waits_in_line_leaves_it_when_its_run_is_cancelled(
    counter: Counter, bank: Bank, operator: User
) -> None:
    locked(bank)
    first, second = counter.start(paying("A1")), counter.start(paying("A1"))
    cancel_run(run_id=second.pk, reason="", caller=Caller.of_session(operator))
    assert set(ResourceClaim.objects.values_list("run", "held")) == {(first.pk, True)}


def test_an_effect_in_doubt_keeps_its_resource_until_a_person_found_out(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    locked(bank, "wire")
    first, second = (counter.start(paying("A1", tool="wire")) for _ in range(2))
    counter.decide(counter.request(first), Verdict.APPROVE, reviewer)
    bank.trouble = die
    with pytest.raises(Killed):
        counter.go_on(first)
    bank.trouble = None
    Run.objects.filter(pk=first.pk).update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    sweep_once()
    counter.go_on(first)
    assert counter.request(first).kind == "in_doubt"
    assert (turns_given(), len(waits(second))) == (0, 1)
    counter.decide(counter.request(first), Verdict.HAPPENED, second_reviewer)
    counter.go_on(first)
    assert not ResourceClaim.objects.filter(run=first).exists()
    assert turns_given() == 1


@pytest.mark.parametrize("halt", ["pause", "disable", "limit"])
def test_a_run_that_stands_still_in_line_is_passed_over(
    counter: Counter, bank: Bank, reviewer: User, operator: User, halt: str
) -> None:
    locked(bank)
    first, second, third = (counter.start(paying("A1")) for _ in range(3))
    caller = Caller.of_session(operator)
    if halt == "pause":
        pause_run(run_id=second.pk, reason="", caller=caller)
    elif halt == "disable":
        # Of two agents one is switched off; here the run is given to another one.
        host(teller(bank, slug="other", tools=[]))
        Run.objects.filter(pk=second.pk).update(agent=HostedAgent.objects.get(slug="other"))
        disable_agent(slug="other", reason="Incident.", caller=TEST)
    else:
        Step.objects.create(
            run=second,
            seq=99,
            kind="budget",
            name="steps",
            state="waiting",
            started_at=second.created_at,
        )
    counter.decide(counter.request(first), Verdict.APPROVE, reviewer)
    counter.go_on(first)
    assert turns_given() == 1
    assert Run.objects.get(pk=second.pk).state == "waiting"
    assert counter.request(counter.go_on(third)).kind == "action"
    registry.unregister("other")


def test_a_paused_run_has_its_turn_once_it_is_resumed(
    counter: Counter, bank: Bank, reviewer: User, operator: User
) -> None:
    locked(bank)
    first, second = counter.start(paying("A1")), counter.start(paying("A1"))
    caller = Caller.of_session(operator)
    pause_run(run_id=second.pk, reason="", caller=caller)
    counter.decide(counter.request(first), Verdict.APPROVE, reviewer)
    counter.go_on(first)
    assert turns_given() == 0
    resume_run(run_id=second.pk, caller=caller)
    assert turns_given() == 1


def test_a_call_whose_arguments_a_person_changed_holds_what_it_touches_now(
    counter: Counter,
    bank: Bank,
    reviewer: User,
    second_reviewer: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    locked(bank)
    holder, run, behind = (counter.start(paying(account)) for account in ("A2", "A1", "A1"))
    changed = {"account": "A2", "amount": "42.00"}
    counter.decide(counter.request(run), Verdict.EDIT, reviewer, arguments=changed)
    counter.decide(counter.request(run), Verdict.APPROVE, second_reviewer)
    with django_capture_on_commit_callbacks(execute=True):
        run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert waits(run) == [("account:A2", "waiting")]
    # What it held before is free for others, and whoever waits for it is told.
    assert Run.objects.get(pk=behind.pk).state == "ready"
    assert counter.request(counter.go_on(behind)).kind == "action"
    counter.decide(counter.request(holder), Verdict.REJECT, reviewer, reason="No.")
    counter.go_on(holder)
    assert turns_given() == 1
    assert counter.go_on(run).state == "succeeded"
    assert [account for _, account, _ in bank.sent] == ["A2"]


def test_an_approval_lapses_while_its_call_waits_in_line(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    locked(bank)
    counter.start(paying("A2"))
    run = counter.start(paying("A1"))
    changed = {"account": "A2", "amount": "42.00"}
    counter.decide(counter.request(run), Verdict.EDIT, reviewer, arguments=changed)
    request = counter.request(run)
    counter.decide(request, Verdict.APPROVE, second_reviewer)
    counter.go_on(run)
    ApprovalRequest.objects.filter(pk=request.pk).update(execute_by=F("created_at"))
    assert past_execution(request.pk)
    run = counter.go_on(run)
    assert (run.state, bank.sent, waits(run)) == ("succeeded", [], [])


@pytest.mark.parametrize(
    "names",
    [
        "one text",
        [7],
        [""],
        ["x" * 201],
        [f"account:{number}" for number in range(17)],
        None,
    ],
)
def test_a_call_whose_resources_cannot_be_named_is_refused_to_the_model(
    counter: Counter, bank: Bank, names: object
) -> None:
    def by(payment: Payment) -> Iterable[str]:
        if names is None:
            raise LookupError
        return names  # type: ignore[return-value]

    locked(bank, by=by)
    run = counter.start(paying("A1"))
    step = Step.objects.get(run=run, name="pay")
    assert (step.state, step.problem, run.state) == ("refused", "locks_unknown", "succeeded")
    assert "did not run" in counter.model.requests[-1]["messages"][-1]["content"]
    assert bank.sent == []


def test_an_approval_is_not_left_open_when_its_call_cannot_be_made_any_more(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    names = ["account:A1"]
    locked(bank, by=lambda payment: names)
    run = counter.start(paying("A1"))
    request = counter.request(run)
    counter.decide(request, Verdict.APPROVE, reviewer)
    names[:] = [""]
    run = counter.go_on(run)
    request.refresh_from_db()
    assert (run.state, request.state, bank.sent) == ("succeeded", "lapsed", [])


def test_a_name_that_cannot_be_stored_is_made_storable(counter: Counter, bank: Bank) -> None:
    locked(bank, by=lambda payment: ["a\x00b", "\ud800"])
    run = counter.start(paying("A1"))
    assert Step.objects.get(run=run, name="pay").locks == ["?", "a\ufffdb"]


def test_what_a_settled_call_left_behind_holds_nobody_up(counter: Counter, bank: Bank) -> None:
    locked(bank)
    first, second = counter.start(paying("A1")), counter.start(paying("A1"))
    Step.objects.filter(run=first, name="pay").update(state="refused", finished_at=F("started_at"))
    assert turns_given() == 1
    assert counter.request(counter.go_on(second)).kind == "action"


def test_a_limit_reached_in_line_does_not_keep_a_worker_busy(
    counter: Counter, bank: Bank, reviewer: User, steps_of: Steps
) -> None:
    host(teller(bank, budget=Budget(tool_calls=1)))
    locked(bank)
    first = counter.start(paying("A1"))
    made = [
        call("read_balance", judged({"account": "A1"})),
        call("pay", judged({"account": "A1", "amount": "1.00"})),
    ]
    second = counter.start(once(*made))
    assert counter.request(second).kind == "budget"
    counter.decide(counter.request(first), Verdict.REJECT, reviewer, reason="No.")
    counter.go_on(first)
    assert turns_given() == 0


def test_the_log_says_that_a_call_waited_and_got_its_turn(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    locked(bank)
    first, second = counter.start(paying("A1")), counter.start(paying("A1"))
    counter.decide(counter.request(first), Verdict.APPROVE, reviewer)
    counter.go_on(first)
    turns_given()
    counter.go_on(second)
    told = Event.objects.filter(run=second.pk, type__startswith="action.").order_by("seq")
    assert list(told.values_list("type", flat=True)) == [
        "action.proposed",
        "action.queued",
        "action.admitted",
    ]
    assert not Event.objects.filter(run=first.pk, type="action.queued").exists()


def test_a_run_in_line_says_for_what_it_waits_and_who_holds_it(
    counter: Counter, bank: Bank, operator: User, outsider: User, support: ReviewGroup
) -> None:
    locked(bank)
    first, second = counter.start(paying("A1")), counter.start(paying("A1"))
    (wait,) = in_line([second], Caller.of_session(operator))[second.pk]
    assert wait.as_json() == {
        "approval": None,
        "kind": "resource",
        "name": "pay",
        "step": 2,
        "resource": "account:A1",
        "held": True,
        "run": str(first.pk),
        "run_title": first.title,
    }
    (wait,) = in_line([second], Caller.of_session(outsider))[second.pk]
    assert (wait.before.words, wait.before.run) == ("another run", None)


def test_a_resource_named_after_sensitive_arguments_is_not_told_to_everybody(
    counter: Counter, bank: Bank, operator: User, admin: User
) -> None:
    agent = teller(bank)
    tool = agent.tool("pay")
    assert tool is not None
    tool.sensitive = frozenset({"account"})
    host(teller(bank, tools=agent.tools))
    locked(bank)
    counter.start(paying("A1"))
    second = counter.start(paying("A1"))
    (wait,) = in_line([second], Caller.of_session(operator))[second.pk]
    assert "A1" not in wait.resource


def test_the_page_and_the_api_say_that_a_run_waits_for_its_turn(
    counter: Counter, bank: Bank, operator: User, reviewer: User
) -> None:
    locked(bank)
    first, second = counter.start(paying("A1")), counter.start(paying("A1"))
    client = Client()
    client.force_login(operator)
    told = client.get(f"/api/v1/runs/{second.pk}").json()["waiting_on"]
    assert [(wait["kind"], wait["run"]) for wait in told] == [("resource", str(first.pk))]
    page = client.get(reverse("run-detail", args=[second.pk])).content.decode()
    assert "Waiting for its turn" in page
    assert "Waits for account:A1, held by" in page
    assert reverse("run-detail", args=[first.pk]) in page
    counter.decide(counter.request(first), Verdict.REJECT, reviewer, reason="No.")
    counter.go_on(first)
    turns_given()
    counter.go_on(second)
    page = client.get(reverse("run-detail", args=[second.pk])).content.decode()
    assert "held by" not in page
    assert "It waited for its turn" in page


@pytest.mark.parametrize("deploy", ["tool changed", "locks no longer declared"])
def test_a_call_that_a_deploy_took_out_of_its_line_has_no_turn_any_more(
    counter: Counter, bank: Bank, reviewer: User, deploy: str
) -> None:
    locked(bank)
    holder = counter.start(paying("A1"))
    run = counter.start(
        [
            calls(call("pay", judged({"account": "A1", "amount": "42.00"}))),
            calls(call("wire", judged({"account": "A1", "amount": "42.00"}))),
        ]
    )
    assert len(waits(run)) == 1
    host(teller(bank))
    if deploy == "tool changed":
        Step.objects.filter(run=run, name="pay").update(judgement=_judged_otherwise(run))
    Run.objects.filter(pk=run.pk).update(state="ready")
    run = counter.go_on(run)
    if deploy != "tool changed":
        counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
        run = counter.go_on(run)
    assert (run.state, counter.request(run).tool) == ("waiting", "wire")
    assert turns_given() == 0
    cancel_run(run_id=holder.pk, reason="", caller=Caller.of_session(reviewer))
    assert turns_given() == 0


def _judged_otherwise(run: Run) -> dict[str, Any]:
    """The judgement of the run's payment, as an older release made it of an older tool."""
    judgement = Step.objects.get(run=run, name="pay").judgement
    assert judgement is not None
    action = {**judgement["action"], "agent_version": "sha256:0", "tool_version": "0"}
    return {**judgement, "action": action}
