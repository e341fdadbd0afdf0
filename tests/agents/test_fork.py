"""A fork begins with the journal of another run, goes on otherwise, and does nothing in earnest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from accounts.services.create_token import create_token
from agents import registry
from agents.authoring import Budget
from agents.errors import AgentDisabled, IdempotencyKeyReused, UnknownRun, UnknownVersion
from agents.fork_points import fork_points, usual_point
from agents.gating import Subject, gate_context
from agents.models import AgentSpend, AgentVersion, EffectRecord, Memory, Run, Step
from agents.services.change_goal import change_goal
from agents.services.fork_run import Wish, fork_run
from agents.services.message_run import message_run
from agents.services.operate_agent import activate_version, disable_agent
from agents.services.start_run import start_run
from agents.services.sync import sync_agents
from agents.services.take_over import take_over
from agents.simulation_errors import (
    ForkInvalid,
    InEarnest,
    NoForkPoint,
    RunSimulated,
    VersionNotThere,
)
from agents.states import StepKind
from agents.versions import versions_of
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.actors import Actor
from audit.clock import database_now
from audit.models import Event
from audit.spellings import day
from tests.agents.bank import Bank, teller
from tests.agents.conftest import TEST, Counter, host
from tests.agents.flows import answered, clerk, flow_of
from tests.agents.scoring import score_by
from tests.agents.test_effects import PAY
from tests.agents.test_prices import price
from tests.agents.test_replay import installed, replayed
from tests.harness.people import person
from tests.model_server import ModelServer, Script, call, calls, final, judged, says

READ = judged({"account": "A1"})
OTHER = judged({"account": "A2", "amount": "9.00"})
STORY = [
    calls(call("read_letter", READ)),
    calls(call("pay", PAY, id="p")),
    final(summary="paid", relies_on=["p"]),
]


@pytest.fixture
def done(counter: Counter, reviewer: User) -> Run:
    """A run that read a letter, had a payment approved, and ended."""
    run = counter.start(STORY)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    finished = counter.go_on(run)
    assert finished.state == "succeeded"
    return finished


def fork(counter: Counter, run: Run, script: Script, **wish: Any) -> Run:
    """Fork the run, and advance the fork as far as it goes."""
    made, new = fork_run(run_id=run.pk, wish=Wish(**wish), caller=by(counter.operator))
    assert new
    counter.model.follow(script)
    return counter.go_on(made)


def by(user: User) -> Caller:
    return Caller.of_session(user)


def of(run: Run, name: str) -> list[Step]:
    return list(Step.objects.filter(run=run, name=name).in_order())


def facts_of(event: Event) -> dict[str, Any]:
    return dict(json.loads(bytes(event.body))["facts"])


def nothing_came_of(run: Run) -> bool:
    return not any(
        rows.exists()
        for rows in (
            EffectRecord.objects.filter(run=run),
            Memory.objects.filter(run=run),
            ApprovalRequest.objects.filter(run_id=run.pk),
            Run.objects.filter(parent=run),
            Step.objects.filter(run=run, approval_id__isnull=False),
        )
    )


def test_a_fork_goes_on_with_other_words_and_does_nothing(
    done: Run, counter: Counter, bank: Bank, model: ModelServer
) -> None:
    sent, spent = list(bank.sent), sum(AgentSpend.objects.values_list("calls", flat=True))
    words = "You serve at the counter of a shop."
    made = fork(
        counter,
        done,
        [
            calls(call("pay", PAY, id="p")),
            calls(call("pay", OTHER, id="q"), call("pay", PAY, id="r")),
            final(summary="both", relies_on=["p", "q", "r"]),
        ],
        step=2,
        instructions=words,
    )
    assert (made.state, made.output) == ("succeeded", {"summary": "both"})
    assert (made.simulated, made.forked_from_id, made.fork_step) == (True, done.pk, 2)
    same, simulated, again = of(made, "pay")
    assert same.output == of(done, "pay")[0].output
    assert (same.request or {})["simulated"] == {"from": "journal", "run": str(done.pk), "step": 4}
    # What was done once is not done twice.
    for each in (simulated, again):
        assert (each.output or {})["status"] == "simulated"
        assert (each.judgement or {})["verdict"]["outcome"] == "review"
    assert bank.sent == sent
    assert nothing_came_of(made)
    assert model.requests[-1]["messages"][0]["content"].startswith(words)
    assert (made.tainted, made.tainted_by) == (True, ["read_letter"])
    # It is charged for what it asked itself, and so is its agent.
    assert (made.model_calls, made.tool_calls) == (3, 3)
    assert sum(AgentSpend.objects.values_list("calls", flat=True)) == spent + 3
    events = list(Event.objects.filter(run=made.pk).order_by("inserted_at"))
    assert facts_of(events[0])["forked_from"] == str(done.pk)
    assert all(facts_of(event)["simulated"] for event in events)
    assert {event.type for event in events} >= {"run.started", "action.proposed", "run.ended"}
    told = Event.objects.get(run=done.pk, type="run.forked")
    assert facts_of(told)["fork"] == str(made.pk)
    assert told.actor_id == str(counter.operator.pk)


def test_with_nothing_changed_it_does_what_the_run_did_and_is_replayed_as_it_was(
    done: Run, counter: Counter, bank: Bank
) -> None:
    asked = len(counter.model.requests)
    made = fork(counter, done, STORY, step=0)
    assert (made.state, made.output) == (done.state, done.output)
    before, after = counter.model.requests[:asked], counter.model.requests[asked:]
    assert before == after
    assert replayed(made).same
    assert len(bank.sent) == 1
    told = [
        list(Step.objects.filter(run=each, kind="tool").in_order().values_list("name", "output"))
        for each in (made, done)
    ]
    assert told[0] == told[1]
    copied = fork(counter, done, STORY[2:], step=4)
    assert replayed(copied).same
    columns = ("seq", "kind", "name", "state", "arguments", "output", "request", "response")
    kept = Step.objects.filter(run=copied, seq__lte=4).in_order().values(*columns)
    assert list(kept) == list(Step.objects.filter(run=done, seq__lte=4).in_order().values(*columns))


def test_another_model_is_asked_after_the_one_that_failed(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, models=("weak",)))
    price(person("controller", "admin"), "strong")
    run = counter.start([says("Hm.")] * 3)
    counter.decide(counter.request(run), Verdict.STOP, reviewer)
    failed = counter.go_on(run)
    assert failed.state == "cancelled"
    for step in (None, 0, 3):
        made = fork(counter, failed, [final(summary="ok")], model="strong", step=step)
        assert (made.state, made.output) == ("succeeded", {"summary": "ok"})
        assert counter.model.requests[-1]["model"] == "strong"


def test_a_model_without_a_price_is_refused_since_no_limit_on_cost_would_hold(
    done: Run, counter: Counter
) -> None:
    wish = Wish(model="dear")
    with pytest.raises(ForkInvalid, match="has no price"):
        fork_run(run_id=done.pk, wish=wish, caller=by(counter.operator))
    assert not Run.objects.filter(forked_from=done).exists()
    price(person("controller", "admin"), "dear")
    made, _ = fork_run(run_id=done.pk, wish=wish, caller=by(counter.operator))
    assert made.agent_version.definition["models"] == ["dear"]


@pytest.mark.parametrize("name", ["pay", "wire", "book", "order"])
def test_no_class_of_effect_is_carried_out_whether_a_person_would_be_asked_or_not(
    name: str, counter: Counter, bank: Bank
) -> None:
    run = counter.start([final(summary="nothing")])
    script = [calls(call(name, PAY, id="p")), final(summary="paid", relies_on=["p"])]
    asked = fork(counter, run, script, step=0)
    rule = {
        "name": "all",
        "title": "All",
        "when": {"tools": [name]},
        "effect": "allow",
        "threshold": "0.10",
        "accepts_taint": True,
    }
    score_by({"source": "self_reported"}, rules=[rule])
    let = fork(counter, run, script, step=0)
    for made, would in ((asked, "ask_people"), (let, "run")):
        assert made.state == "succeeded"
        assert (of(made, name)[0].output or {})["would"] == would
        assert nothing_came_of(made)
    assert bank.sent == []


def test_what_the_policy_denies_now_is_denied_though_it_was_done_then(
    done: Run, counter: Counter
) -> None:
    deny = {"name": "no", "title": "No", "when": {"tools": ["pay"]}, "effect": "deny"}
    score_by({"source": "self_reported"}, rules=[deny])
    made = fork(counter, done, [calls(call("pay", PAY)), final(summary="no")], step=0)
    assert (of(made, "pay")[0].output or {})["status"] == "denied"


def test_what_people_said_is_said_again_and_nobody_is_asked(
    counter: Counter, reviewer: User, second_reviewer: User
) -> None:
    question = {"question": "Which one?", "answer_type": "text", "choices": []}
    again = {**question, "question": "Really?"}
    story = [calls(call("ask_human", question), call("pay", PAY)), final(summary="no")]
    run = counter.start(story)
    for request in ApprovalRequest.objects.filter(run_id=run.pk):
        if request.kind == "question":
            counter.decide(request, Verdict.ANSWER, reviewer, answer="The blue one.")
        else:
            counter.decide(request, Verdict.REJECT, reviewer, reason="Too much.")
    run = counter.go_on(run)
    assert run.state == "succeeded"
    made = fork(
        counter,
        run,
        [
            calls(call("ask_human", question), call("pay", PAY), call("ask_human", again)),
            final(summary="ok"),
        ],
        step=0,
    )
    first, second = of(made, "ask_human")
    assert (first.output or {})["answer"] == "The blue one."
    assert (second.output or {})["status"] == "no_answer"
    (rejected,) = of(made, "pay")
    assert (rejected.state, (rejected.output or {})["feedback"]) == ("refused", "Too much.")
    assert made.state == "succeeded"
    assert nothing_came_of(made)


def test_it_begins_between_turns_and_nowhere_else(
    done: Run, counter: Counter, reviewer: User
) -> None:
    points = fork_points(list(Step.objects.filter(run=done).in_order()))
    # Before each of the three replies; after the end there is nothing to go on with.
    assert [point.step for point in points] == [0, 2, 4]
    assert usual_point(points).step == 4
    for wrong in (1, 3, 5, 6, 99):
        with pytest.raises(NoForkPoint) as refused:
            fork_run(run_id=done.pk, wish=Wish(step=wrong), caller=by(counter.operator))
        assert refused.value.params["steps"] == [0, 2, 4]
    waiting = counter.start(STORY)
    assert waiting.state == "waiting"
    assert fork(counter, waiting, [final(summary="ok")], step=2).state == "succeeded"
    with pytest.raises(NoForkPoint):
        fork_run(run_id=waiting.pk, wish=Wish(step=4), caller=by(counter.operator))
    Run.objects.filter(pk=waiting.pk).update(state="ready")
    assert fork(counter, waiting, [final(summary="ok")]).fork_step == 2
    waiting.refresh_from_db()
    assert waiting.state == "ready"


def test_a_fork_of_a_fork_knows_what_both_of_them_know(
    done: Run, counter: Counter, bank: Bank
) -> None:
    first = fork(counter, done, [calls(call("pay", OTHER)), final(summary="a")], step=0)
    script = [
        calls(call("read_letter", READ), call("pay", PAY), call("pay", OTHER)),
        final(summary="b"),
    ]
    second = fork(counter, first, script, step=0)
    assert second.forked_from_id == first.pk
    (letter,), (paid, other) = of(second, "read_letter"), of(second, "pay")
    assert [(s.request or {})["simulated"].get("run") for s in (letter, paid)] == [str(done.pk)] * 2
    assert (other.output or {})["status"] == "simulated"
    assert len(bank.sent) == 1


def test_what_would_ask_a_person_ends_it_aloud(
    done: Run, counter: Counter, bank: Bank, reviewer: User
) -> None:
    for script, code in (
        ([final(summary="x", relies_on=["none"])], "answer_unfounded"),
        ([calls(call("pay", OTHER))] * 4, "same_call"),
        ([says("Hm.")] * 3, "repairs_exhausted"),
    ):
        made = fork(counter, done, script, step=0)
        assert (made.state, (made.failure or {})["code"]) == ("failed", code)
        assert nothing_came_of(made)
    host(teller(bank, budget=Budget(model_calls=2)))
    capped = fork(counter, done, [calls(call("read_balance", READ))] * 3, version=active(), step=0)
    assert (capped.failure or {})["code"] == "cap_reached"


def active() -> str:
    agent = registry.find("teller")
    assert agent is not None
    return agent.version


def test_a_version_whose_tools_are_gone_is_refused_and_another_is_forked_to(
    done: Run, counter: Counter, bank: Bank
) -> None:
    agent = teller(bank)
    kept = [tool for tool in agent.tools if tool.name != "pay"]
    less = replace(agent, tools=kept)
    sync_agents([less], actor=TEST)
    with installed(less):
        with pytest.raises(VersionNotThere):
            fork_run(run_id=done.pk, wish=Wish(), caller=by(counter.operator))
        made = fork(
            counter, done, [calls(call("pay", PAY)), final(summary="x")], version=less.version
        )
    assert made.state == "succeeded"
    assert of(made, "pay")[-1].problem == "unknown_tool"
    assert replayed(made).steps
    wish = Wish(version=f"sha256:{'0' * 64}")
    with pytest.raises(UnknownVersion):
        fork_run(run_id=done.pk, wish=wish, caller=by(counter.operator))


def test_a_variant_is_no_version_of_the_agent_until_somebody_declares_it(
    done: Run, counter: Counter, bank: Bank
) -> None:
    words = "You serve at the counter of a shop."
    made = fork(counter, done, [final(summary="x")], instructions=words)
    again = fork(counter, done, [final(summary="x")], instructions=f"  {words}\n")
    assert made.agent_version_id == again.agent_version_id
    variant = AgentVersion.objects.get(pk=made.agent_version_id)
    assert variant.variant
    assert variant not in versions_of(made.agent)
    agent = teller(bank, instructions=words)
    assert agent.version == variant.digest
    with installed(agent):
        sync_agents([agent], actor=TEST)
        activate_version(slug="teller", digest=agent.version, caller=TEST)
    variant.refresh_from_db()
    assert not variant.variant
    assert variant in versions_of(made.agent)


def test_no_code_of_a_tool_is_reached_and_no_secret(done: Run, counter: Counter) -> None:
    made = fork(counter, done, [final(summary="x")])
    row = Run.objects.select_related("agent", "agent_version", "initiator").get(pk=made.pk)
    agent = registry.find("teller")
    assert agent is not None
    for tool in agent.tools:
        with pytest.raises(InEarnest):
            Subject(agent, row).context_for(tool, "key", database_now())


def test_what_it_simulates_is_no_history_for_runs_in_earnest(counter: Counter) -> None:
    run = counter.start([final(summary="nothing")])
    made = fork(counter, run, [calls(call("pay", PAY)), final(summary="x")], step=0)
    assert of(made, "pay")[0].state == "succeeded"
    agent = registry.find("teller")
    tool = agent and agent.tool("pay")
    assert agent is not None
    assert tool is not None
    row = Run.objects.select_related("agent", "agent_version").get(pk=run.pk)
    context = gate_context(row, agent, tool, (), database_now())
    assert (context.first_use, context.calls_last_hour) == (True, 0)


def test_nothing_is_said_to_it(done: Run, counter: Counter, operator: User) -> None:
    made, _ = fork_run(run_id=done.pk, wish=Wish(), caller=by(operator))
    for act in (
        lambda: message_run(run_id=made.pk, text="Hello", caller=by(operator)),
        lambda: change_goal(run_id=made.pk, text="Other", caller=by(operator)),
        lambda: take_over(run_id=made.pk, reason="Mine", caller=by(operator)),
    ):
        with pytest.raises(RunSimulated):
            act()


def test_who_may_start_or_owns_the_agent_forks_it_and_nobody_else(
    done: Run, counter: Counter, reviewer: User, outsider: User, auditor: User, finance: ReviewGroup
) -> None:
    fork_run(run_id=done.pk, wish=Wish(), caller=by(reviewer))
    with pytest.raises(UnknownRun):
        fork_run(run_id=done.pk, wish=Wish(), caller=by(outsider))
    watching = person("watching", groups=(finance,))
    for user, status in ((outsider, 404), (auditor, 403), (watching, 403)):
        client = Client()
        client.force_login(user)
        sent = client.post(f"/api/v1/runs/{done.pk}/fork", {}, content_type="application/json")
        assert sent.status_code == status, user
        assert client.get(f"/runs/{done.pk}/fork/").status_code == status
    disable_agent(slug="teller", reason="Incident.", caller=TEST)
    with pytest.raises(AgentDisabled):
        fork_run(run_id=done.pk, wish=Wish(), caller=by(counter.operator))


def test_over_the_api_a_fork_is_started_once_and_marked(
    done: Run, counter: Counter, operator: User
) -> None:
    made = create_token(person=operator, name="t", caller=Actor.system("tests"))
    bearer = Client(headers={"Authorization": f"Bearer {made.bearer}"})
    reading = create_token(person=operator, name="r", scopes=["read"], caller=Actor.system("tests"))
    path = f"/api/v1/runs/{done.pk}/fork"
    body = {"step": 2, "instructions": "Be brief.", "idempotency_key": "k"}

    def post(client: Client, **changes: Any) -> Any:
        return client.post(path, {**body, **changes}, content_type="application/json")

    first, second = post(bearer), post(bearer)
    assert (first.status_code, second.status_code) == (201, 200)
    told = first.json()
    assert told["id"] == second.json()["id"]
    assert (told["simulated"], told["forked_from"], told["fork_step"]) == (True, str(done.pk), 2)
    counter.model.follow([final(summary="ok")])
    counter.go_on(Run.objects.get(pk=told["id"]))
    steps = bearer.get(f"/api/v1/runs/{told['id']}/steps").json()["items"]
    assert [step["copied"] for step in steps] == [True, True, False, False, False]
    assert steps[2]["kind"] == StepKind.SIMULATION
    assert post(bearer, step=0).json()["code"] == "idempotency_key_reused"
    assert post(bearer, step=3, idempotency_key="l").json()["code"] == "no_fork_point"
    for wrong in ({"step": -1}, {"step": "x"}, {"other": 1}):
        assert post(bearer, **wrong, idempotency_key="m").status_code == 422
    for wrong in ({"instructions": " "}, {"model": " "}):
        assert post(bearer, **wrong, idempotency_key="n").json()["code"] == "fork_invalid"
    assert post(bearer, instructions="a\x00b", idempotency_key="n").status_code == 400
    assert post(Client(headers={"Authorization": f"Bearer {reading.bearer}"})).status_code == 403


def test_a_workflow_is_forked_and_ends_where_nobody_knows_what_came_of_a_call(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(clerk(flow_of(bank), bank))
    run = counter.start([answered()], "A1")
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.state == "succeeded"
    same = fork(counter, run, [answered()], step=0)
    assert (same.state, same.output) == ("succeeded", run.output)
    other = fork(counter, run, [answered(amount="41.00")], step=2)
    assert (other.state, (other.failure or {})["code"]) == ("failed", "call_not_done")
    assert len(bank.sent) == 1


def test_from_its_page_in_a_form_that_says_what_does_not_fit(
    done: Run, counter: Counter, login: Callable[[Client, User], Client], operator: User
) -> None:
    desk = login(Client(), operator)
    page = f"/runs/{done.pk}/"
    assert f"{page}fork/" in desk.get(page).content.decode()
    price(person("controller", "admin"), "other")
    form = desk.get(f"{page}fork/?step=2").context["form"]
    assert form["step"].initial == 2
    _, own = form["version"].field.choices[0]
    seen = done.agent_version.first_seen_at
    assert own.startswith("As in the run: ")
    assert own.endswith(f" ({day(seen)})")
    sent = {
        "step": "2",
        "version": done.agent_version.digest,
        "instructions": form["instructions"].initial,
        "model": "other",
        "key": "abc",
    }
    answer = desk.post(f"{page}fork/", sent)
    made = Run.objects.get(forked_from=done)
    assert answer["Location"] == f"/runs/{made.pk}/"
    assert made.agent_version.definition["models"] == ["other"]
    assert (
        made.agent_version.definition["instructions"]
        == done.agent_version.definition["instructions"]
    )
    assert desk.post(f"{page}fork/", sent)["Location"] == f"/runs/{made.pk}/"
    shown = desk.get(f"/runs/{made.pk}/").content.decode()
    assert f"/runs/compare/?run={done.pk}&amp;run={made.pk}" in shown
    assert "Copied from the run that this one is a fork of." in shown
    assert f"/runs/{made.pk}/" in desk.get(page).content.decode()
    assert "Fork: simulated" in desk.get("/runs/").content.decode()
    assert desk.get(f"/runs/compare/?run={done.pk}&run={made.pk}").status_code == 200
    wrong = desk.post(f"{page}fork/", {**sent, "step": "3"})
    assert wrong.status_code == 422
    unfit = desk.post(f"{page}fork/", {**sent, "model": "m" * 201})
    assert (unfit.status_code, "model" in unfit.context["form"].errors) == (422, True)


def test_a_key_that_was_used_for_another_fork_is_refused(done: Run, counter: Counter) -> None:
    caller = by(counter.operator)
    first, _ = fork_run(run_id=done.pk, wish=Wish(step=0), caller=caller, idempotency_key="k")
    with pytest.raises(IdempotencyKeyReused):
        fork_run(run_id=done.pk, wish=Wish(step=2), caller=caller, idempotency_key="k")
    with pytest.raises(ForkInvalid):
        fork_run(run_id=done.pk, wish=Wish(instructions=""), caller=caller)
    again, new = fork_run(run_id=done.pk, wish=Wish(step=0), caller=caller, idempotency_key="k")
    assert (again.pk, new) == (first.pk, False)
    with pytest.raises(IdempotencyKeyReused):
        start_run(agent=done.agent.slug, input=done.input, caller=caller, idempotency_key="k")
