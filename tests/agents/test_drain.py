"""`manage.py drain`: what a deploy would do to the open runs, said before it is made."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from agents import registry
from agents.authoring import EffectClass
from agents.drain import FINISHES_OLD, GOES_ON, NEEDS_PERSON, outlooks
from agents.models import EffectRecord, Run, Step
from agents.services.claim import claim
from agents.services.release import release
from approvals.vocabulary import Verdict
from audit.clock import database_now
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_effects import PAY, Killed, approved, die, killed_while_sending
from tests.agents.test_versions import NEW_WORDS, Transfer, attention_of, deploy, pay
from tests.model_server import call, calls, final


def said(*options: str) -> str:
    out = StringIO()
    call_command("drain", *options, stdout=out)
    return out.getvalue()


def words() -> list[str]:
    return [each.outlook for each in outlooks()]


def parked(counter: Counter) -> Run:
    return counter.start([calls(call("pay", PAY))])


def test_without_open_runs_there_is_nothing_to_say(counter: Counter) -> None:
    counter.start([final(summary="ok")])
    assert "No run is open." in said("--fail-on-change", "--wait", "1")


def test_each_run_is_told_what_becomes_of_it(counter: Counter, bank: Bank, reviewer: User) -> None:
    parked(counter)
    parked(counter)
    assert words() == [GOES_ON]
    deploy(bank, instructions=NEW_WORDS)
    parked(counter)
    assert sorted(words()) == sorted([FINISHES_OLD, GOES_ON])
    text = said("--fail-on-change")
    assert "2 runs (2 waiting) would finish on their old definition." in text
    assert "Its instructions changed." in text
    assert "1 run (1 waiting) would go on." in text
    deploy(bank, pay(bank, Transfer))
    assert set(words()) == {NEEDS_PERSON}
    text = said()
    assert "changed tools: pay" in text
    assert "finish on the old definition or go on with the new one, or to stop" in text
    assert "3 runs open, 3 would need a person." in text
    with pytest.raises(CommandError, match="3 runs would need a person"):
        said("--fail-on-change")


def test_what_it_says_is_what_then_happens(counter: Counter, bank: Bank, reviewer: User) -> None:
    run = parked(counter)
    deploy(bank, pay(bank, Transfer))
    assert words() == [NEEDS_PERSON]
    request = attention_of(counter, run)
    counter.decide(request, Verdict.CHANGE, reviewer, choice="finish_old")
    assert counter.go_on(run).state == "waiting"
    assert words() == [FINISHES_OLD]
    deploy(bank, without="pay")
    assert words() == [NEEDS_PERSON]


def test_a_choice_holds_for_the_deploy_that_it_was_made_about_and_no_other(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = parked(counter)
    deploy(bank, pay(bank, Transfer))
    request = attention_of(counter, run)
    counter.decide(request, Verdict.CHANGE, reviewer, choice="finish_old")
    assert counter.go_on(run).state == "waiting"
    deploy(bank, pay(bank, Transfer), instructions=NEW_WORDS)
    assert words() == [NEEDS_PERSON]
    assert attention_of(counter, run).pk != request.pk


def test_a_call_that_a_worker_has_in_hand_is_not_lost(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    bank.trouble = die
    with pytest.raises(Killed):
        counter.go_on(run)
    deploy(bank, pay(bank, effect_class=EffectClass.OPAQUE))
    (found,) = outlooks()
    assert found.runs == {"running": 1}
    assert "nobody knows" not in found.why


@pytest.mark.parametrize("why", ["gone", "newer", "lost"])
def test_other_reasons_why_a_person_is_needed(
    counter: Counter, bank: Bank, reviewer: User, why: str
) -> None:
    if why == "lost":
        run = killed_while_sending(counter, bank, reviewer, "pay")
        assert words() == [GOES_ON]
        deploy(bank, pay(bank, effect_class=EffectClass.OPAQUE))
        assert EffectRecord.objects.get(run=run).state == "dispatched"
        expected = "another version of its tool"
    else:
        run = parked(counter)
        expected = "not installed any more"
    if why == "gone":
        registry.unregister("teller")
    if why == "newer":
        Step.objects.filter(run=run).update(schema=99)
        expected = "newer release"
    (found,) = outlooks()
    assert found.outlook == NEEDS_PERSON
    assert expected in found.why


def test_programs_read_the_same(counter: Counter, bank: Bank) -> None:
    run = parked(counter)
    deploy(bank, without="pay")
    Run.objects.get(pk=run.pk).agent.__class__.objects.update(active_version=run.agent_version)
    told = json.loads(said("--json"))
    assert (told["open"], told["need_a_person"], told["at_work"]) == (1, 1, [])
    assert told["not_activated"] == ["teller"]
    (one,) = told["outlooks"]
    assert one["version"] == run.agent_version.digest
    assert (one["outlook"], one["run_ids"], one["runs"]) == (
        NEEDS_PERSON,
        [str(run.pk)],
        {"waiting": 1},
    )
    assert one["changes"] == ["It has the tool pay no more."]


def test_the_queries_do_not_grow_with_the_runs(
    counter: Counter, bank: Bank, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        parked(counter)
    deploy(bank, instructions=NEW_WORDS)
    with django_assert_max_num_queries(6):
        outlooks()


def test_waiting_ends_with_who_still_works(counter: Counter) -> None:
    run = parked(counter)
    Run.objects.filter(pk=run.pk).update(state="ready")
    assert claim(run.pk, owner="worker-7") is not None
    with pytest.raises(CommandError, match=r"1 run still at work: .*worker-7"):
        said("--wait", "0.1")
    with pytest.raises(CommandError, match="1 run still at work"):
        said("--wait", "0.1", "--json")


def test_a_lease_that_ran_out_is_nobody_at_work(counter: Counter) -> None:
    run = parked(counter)
    Run.objects.filter(pk=run.pk).update(state="ready")
    assert claim(run.pk, owner="worker-7") is not None
    Run.objects.filter(pk=run.pk).update(lease_expires_at=database_now() - timedelta(seconds=1))
    assert "No worker holds a run." in said("--wait", "0.1")


def test_waiting_ends_as_soon_as_nobody_is_at_work(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = parked(counter)
    Run.objects.filter(pk=run.pk).update(state="ready")
    claimed = claim(run.pk, owner="worker-7")
    assert claimed is not None
    looks: list[float] = []

    def let_go(seconds: float) -> None:
        looks.append(seconds)
        release(claimed.lease)

    monkeypatch.setattr("agents.management.commands.drain.sleep", let_go)
    assert "No worker holds a run." in said("--wait", "600")
    assert len(looks) == 1


READ = {
    "agents_run": "id agent_id agent_version_id title state created_at started_at lease_owner lease_expires_at",
    "agents_step": "id run_id schema kind name output arguments",
    "agents_effect": "id run_id step_id state digest effect_class",
    "agents_hostedagent": "id slug title active_version_id",
    "agents_agentversion": "id digest definition",
}


def test_it_reads_a_database_that_is_not_migrated_yet(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    killed_while_sending(counter, bank, reviewer, "pay")
    with CaptureQueriesContext(connection) as asked:
        said("--json", "--wait", "0.1")
    for query in asked.captured_queries:
        for table, column in re.findall(r'"(agents_\w+)"\."(\w+)"', query["sql"]):
            assert column in READ[table].split(), f"{table}.{column}"
