"""Effects against the log: one that was changed, or whose events are gone, is named by `audit_fsck`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from psycopg.types.json import Jsonb

from accounts.models import User
from agents.authoring import Terminal
from agents.models import EffectRecord
from approvals.vocabulary import Verdict
from audit.fsck import Checked, check
from audit.models import Event
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_effects import approved
from tests.audit.conftest import Attacker, attacker  # noqa: F401
from tests.model_server import call, calls, final, judged

pytestmark = pytest.mark.django_db(transaction=True)
# ruff: noqa: F811 - the attacker is a fixture of other tests, taken by name
PAY = judged({"account": "A1", "amount": "42.00"})


def found() -> list[str]:
    return list(check(Checked()))


def lose() -> None:
    raise ConnectionResetError


@pytest.fixture
def paid(counter: Counter, reviewer: User) -> EffectRecord:
    """A payment that was approved and sent."""
    run = counter.start([calls(call("pay", PAY)), final(summary="done")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    counter.go_on(run)
    return EffectRecord.objects.get(run=run)


def test_a_run_and_all_that_it_did_agree_with_the_log(paid: EffectRecord) -> None:
    checked = Checked()
    assert list(check(checked)) == []
    assert checked.reconciled == {"requests": 1, "votes": 1, "policies": 1, "effects": 1}


def refuse() -> None:
    raise Terminal("The account is closed.")


@pytest.mark.parametrize(("trouble", "state"), [(refuse, "failed"), (lose, "in_doubt")])
def test_an_effect_agrees_with_the_log_however_it_ends(
    counter: Counter, bank: Bank, reviewer: User, trouble: Callable[[], None], state: str
) -> None:
    run = approved(counter, reviewer, "wire")
    bank.trouble = trouble
    counter.go_on(run)
    assert EffectRecord.objects.get(run=run).state == state
    assert found() == []


@pytest.mark.parametrize(
    ("verdict", "state"), [(Verdict.HAPPENED, "succeeded"), (Verdict.DID_NOT, "failed")]
)
def test_what_a_person_found_out_agrees_with_the_log(
    counter: Counter,
    bank: Bank,
    reviewer: User,
    second_reviewer: User,
    verdict: Verdict,
    state: str,
) -> None:
    run = approved(counter, reviewer, "wire")
    bank.trouble = lose
    run = counter.go_on(run)
    counter.decide(counter.request(run), verdict, second_reviewer)
    counter.go_on(run)
    assert EffectRecord.objects.get(run=run).state == state
    assert found() == []


def test_the_events_of_an_effect_are_missed(paid: EffectRecord, attacker: Attacker) -> None:
    ended = Event.objects.get(type="effect.succeeded")
    attacker.does("DELETE FROM audit_event WHERE id = %s", ended.pk)
    sentences = found()
    assert f"The effect {paid.pk} stands as succeeded, and by the log it is dispatched" in "".join(
        sentences
    )
    attacker.does("DELETE FROM audit_event WHERE type = 'effect.dispatched'")
    assert f"The effect {paid.pk} has no event" in "".join(found())


def test_an_effect_that_was_changed_or_deleted_is_named(
    paid: EffectRecord, attacker: Attacker
) -> None:
    came_back = paid.result
    assert came_back
    attacker.does("UPDATE agents_effect SET result = %s", Jsonb({"paid": "1.00"}))
    assert f"The effect {paid.pk} has another result_sha256 than event" in found()[0]
    attacker.does("UPDATE agents_effect SET result = %s", Jsonb(came_back))
    assert found() == []
    attacker.does("UPDATE agents_effect SET digest = %s", "sha256:" + "0" * 64)
    assert f"The effect {paid.pk} has another args_sha256 than event" in found()[0]
    attacker.does("DELETE FROM agents_effect")
    assert f"speaks of {paid.pk}, which is not there: its row was deleted" in found()[0]
