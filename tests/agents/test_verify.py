"""Read-back: a tool says that it is done, and what it did is looked for before anybody believes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db.models import F
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from agents import registry
from agents.authoring import DefinitionError, Risk, Tool, ToolContext, Trust, tool
from agents.models import EffectRecord, Run, Step
from agents.sweep import sweep_once
from agents.timeline import read_timeline
from approvals.representations import as_json
from approvals.vocabulary import Verdict
from audit.clock import database_now
from audit.models import Event
from tests.agents.bank import Bank, Payment, Receipt, teller
from tests.agents.conftest import Counter, host
from tests.agents.test_effects import Killed, approved, die

Look = Callable[[], bool]


@pytest.fixture(autouse=True)
def quick(model: object, settings: Settings) -> None:
    """Three looks, one after the other."""
    update = {"verify_attempts": 3, "verify_backoff_seconds": 0.0}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=update)


def tool_of(name: str) -> Tool:
    found = registry.get("teller").tool(name)
    assert found is not None
    return found


def read_back(name: str, look: Look) -> list[Receipt]:
    """Let the tool be read back; returns what each look was told to look for."""
    looked: list[Receipt] = []

    @tool_of(name).verify
    def find(ctx: ToolContext, payment: Payment, receipt: Receipt) -> bool:
        looked.append(receipt)
        return look()

    return looked


def step_of(run: Run, name: str) -> Step:
    return Step.objects.get(run=run, name=name, kind="tool")


def event_of(run: Run, type: str) -> dict[str, object]:
    facts: dict[str, object] = json.loads(Event.objects.get(run=run.pk, type=type).body)["facts"]
    return facts


def test_an_effect_that_is_found_is_settled_and_says_that_it_was_read_back(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    looked = read_back("wire", lambda: True)
    run = counter.go_on(approved(counter, reviewer, "wire"))
    assert (run.state, looked) == ("succeeded", [Receipt(reference="R1")])
    assert event_of(run, "effect.succeeded")["verified"] is True
    row = next(
        row
        for row in read_timeline(run, Caller.of_session(reviewer), now=database_now()).rows
        if row.step.name == "wire"
    )
    assert row.effect_words == "happened; read back and found"
    assert '"verified": true' in counter.model.requests[-1]["messages"][-1]["content"]


def test_an_effect_that_is_found_late_is_settled(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    answers = iter([False, False, True])
    looked = read_back("wire", lambda: next(answers))
    run = counter.go_on(approved(counter, reviewer, "wire"))
    assert (run.state, len(looked), len(bank.sent)) == ("succeeded", 3, 1)


def test_an_effect_that_is_not_found_is_in_doubt_and_shows_what_was_reported(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    looked = read_back("wire", lambda: False)
    run = counter.go_on(approved(counter, reviewer, "wire"))
    request = counter.request(run)
    assert (request.kind, len(looked), len(bank.sent)) == ("in_doubt", 3, 1)
    assert "reported success" in request.preview["summary"]
    assert {"label": "Result reported", "value": '{"reference": "R1"}'} in request.preview["facts"]
    effect = EffectRecord.objects.get(run=run)
    assert (effect.state, effect.result) == ("in_doubt", {"reference": "R1"})
    assert event_of(run, "effect.in_doubt")["error"] == "not_verified"


def test_no_look_is_made_any_more_when_the_tool_had_its_time(
    counter: Counter, bank: Bank, reviewer: User, settings: Settings
) -> None:
    update = {"verify_attempts": 10_000, "verify_backoff_seconds": 0.01}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=update)
    tool_of("wire").timeout_seconds = 0.3
    looked = read_back("wire", lambda: False)
    run = counter.go_on(approved(counter, reviewer, "wire"))
    assert counter.request(run).kind == "in_doubt"
    assert 1 < len(looked) < 10_000


def test_a_read_back_that_fails_has_found_nothing(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    def broken() -> bool:
        raise ConnectionResetError

    looked = read_back("wire", broken)
    run = counter.go_on(approved(counter, reviewer, "wire"))
    assert (counter.request(run).kind, len(looked)) == ("in_doubt", 3)


def test_only_a_plain_yes_is_taken_for_one(counter: Counter, bank: Bank, reviewer: User) -> None:
    read_back("wire", lambda: "no")  # type: ignore[arg-type,return-value]
    run = counter.go_on(approved(counter, reviewer, "wire"))
    assert counter.request(run).kind == "in_doubt"


def test_what_happened_without_a_result_gets_the_one_that_was_reported(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    read_back("wire", lambda: False)
    run = counter.go_on(approved(counter, reviewer, "wire"))
    counter.decide(counter.request(run), Verdict.HAPPENED, second_reviewer)
    run = counter.go_on(run)
    effect = EffectRecord.objects.get(run=run)
    assert (effect.state, effect.result) == ("succeeded", {"reference": "R1"})
    assert (step_of(run, "wire").output or {})["result"] == {"reference": "R1"}
    assert not run.tainted


def test_what_happened_with_a_result_of_a_person_keeps_that_one(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    read_back("wire", lambda: False)
    run = counter.go_on(approved(counter, reviewer, "wire"))
    told = {"reference": "R7"}
    counter.decide(counter.request(run), Verdict.HAPPENED, second_reviewer, result=told)
    run = counter.go_on(run)
    assert EffectRecord.objects.get(run=run).result == told


def test_a_reported_result_is_trusted_no_more_than_its_tool(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    tool_of("wire").trust = Trust.UNTRUSTED
    host(registry.get("teller"))
    read_back("wire", lambda: False)
    run = counter.go_on(approved(counter, reviewer, "wire"))
    counter.decide(counter.request(run), Verdict.HAPPENED, second_reviewer)
    run = counter.go_on(run)
    assert (run.tainted, run.tainted_by) == (True, ["wire"])
    assert (step_of(run, "wire").output or {})["trust"] == "untrusted"


def test_what_did_not_happen_keeps_no_result(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    read_back("wire", lambda: False)
    run = counter.go_on(approved(counter, reviewer, "wire"))
    counter.decide(counter.request(run), Verdict.DID_NOT, second_reviewer)
    run = counter.go_on(run)
    effect = EffectRecord.objects.get(run=run)
    assert (effect.state, effect.result) == ("failed", None)


def test_a_transactional_effect_that_is_not_found_is_rolled_back_and_failed(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    bank.trouble = lambda: ReviewGroup.objects.create(slug="booked", title="Booked") and None
    seen: list[bool] = []

    def look() -> bool:
        seen.append(ReviewGroup.objects.filter(slug="booked").exists())
        return False

    read_back("book", look)
    run = counter.go_on(approved(counter, reviewer, "book"))
    # It looked inside the transaction, once, and nothing of it landed.
    assert seen == [True]
    assert not ReviewGroup.objects.filter(slug="booked").exists()
    assert EffectRecord.objects.get(run=run).state == "failed"
    assert step_of(run, "book").problem == "not_verified"
    assert run.state == "succeeded"


def test_a_transactional_effect_that_is_found_commits_with_its_step(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    bank.trouble = lambda: ReviewGroup.objects.create(slug="booked", title="Booked") and None
    read_back("book", lambda: ReviewGroup.objects.filter(slug="booked").exists())
    run = counter.go_on(approved(counter, reviewer, "book"))
    assert ReviewGroup.objects.filter(slug="booked").exists()
    assert event_of(run, "effect.succeeded")["verified"] is True


def killed_before_looking(counter: Counter, reviewer: User, name: str) -> tuple[Run, list[Receipt]]:
    """The worker dies between the call and the first look, and its lease runs out."""
    deaths = iter([die])

    def look() -> bool:
        for death in deaths:
            death()
        return True

    looked = read_back(name, look)
    run = approved(counter, reviewer, name)
    with pytest.raises(Killed):
        counter.go_on(run)
    assert EffectRecord.objects.get(run=run).state == "dispatched"
    Run.objects.filter(pk=run.pk).update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    assert sweep_once()["leases_expired"] == 1
    return Run.objects.get(pk=run.pk), looked


def test_an_idempotent_call_whose_worker_died_before_looking_is_sent_again_and_read_back(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run, looked = killed_before_looking(counter, reviewer, "pay")
    run = counter.go_on(run)
    assert (run.state, len(looked)) == ("succeeded", 2)
    assert len({key for key, _, _ in bank.sent}) == 1
    assert event_of(run, "effect.succeeded")["verified"] is True


def test_a_queryable_call_whose_worker_died_before_looking_is_looked_up_and_read_back(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run, looked = killed_before_looking(counter, reviewer, "order")
    bank.known[bank.sent[0][0]] = Receipt(reference="R1")
    run = counter.go_on(run)
    assert (run.state, len(bank.sent), len(looked)) == ("succeeded", 1, 2)


def test_an_opaque_call_whose_worker_died_before_looking_goes_to_a_person(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run, looked = killed_before_looking(counter, reviewer, "wire")
    run = counter.go_on(run)
    assert (counter.request(run).kind, len(bank.sent), len(looked)) == ("in_doubt", 1, 1)


def test_a_transactional_call_whose_worker_died_before_looking_runs_again(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run, _ = killed_before_looking(counter, reviewer, "book")
    run = counter.go_on(run)
    assert event_of(run, "effect.succeeded")["verified"] is True


def test_a_reported_result_is_hidden_with_the_sensitive_arguments_of_its_call(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    tool_of("wire").sensitive = frozenset({"account"})
    host(registry.get("teller"))
    read_back("wire", lambda: False)
    reviewer.user_permissions.add(Permission.objects.get(codename="read_sensitive"))
    run = counter.go_on(approved(counter, User.objects.get(pk=reviewer.pk), "wire"))
    shown = as_json(counter.request(run), Caller.of_session(second_reviewer))
    assert shown["hidden_arguments"] == ["account"]
    assert "R1" not in str(shown)
    assert "A1" not in str(shown)


def test_a_read_has_nothing_to_read_back(bank: Bank) -> None:
    @tool(risk=Risk.LOW)
    def look(ctx: ToolContext, payment: Payment) -> str:
        """Look."""
        return ""

    @look.verify
    def again(ctx: ToolContext, payment: Payment, result: str) -> bool:
        return True

    with pytest.raises(DefinitionError, match="nothing to read back"):
        teller(bank, slug="other", tools=[look])
