"""Every field of *Confidence with a meaning* is recorded for each action and each decision; the coin is drawn once."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from agents.models import Run, Step
from approvals.models import ApprovalRequest, Vote
from approvals.services.policies import current
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.scoring import ALLOWED, Cast, review, score_by
from tests.agents.test_policy_and_runs import rules_published
from tests.agents.test_scores import pay
from tests.model_server import call, calls, final, judged

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
CHOICE = {"source": "verifier", "also": ["agreement", "log_probability"], "samples": 2}


@pytest.fixture
def rates(settings: Settings) -> Any:
    """Set the share of allowed actions that are looked at, and of scores that are hidden."""

    def set_rates(audit: float, hidden: float = 0.0) -> None:
        settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
            update={"audit_rate": audit, "hidden_score_rate": hidden}
        )

    return set_rates


def paid(run: Run) -> Step:
    return Step.objects.get(run=run, name="pay")


@pytest.mark.parametrize("score", [0.9, 0.3])
def test_each_action_keeps_all_scores_coin_rate_propensity_route_and_threshold(
    counter: Counter, rates: Any, score: float
) -> None:
    rates(0.0000001)
    score_by(CHOICE)
    run = counter.start(Cast([pay()], [review(score, "Hm.")], [pay(account="B2")]))
    step, allowed = paid(run), score > 0.8
    assert step.judgement is not None
    assert step.coin is not None
    scores = step.judgement["confidence"]
    bp = round(score * 10_000)
    assert scores["signals"] == {"self_reported": 9_500, "verifier": bp, "agreement": 5_000}
    assert (scores["source"], scores["raw_bp"], scores["version"]) == ("verifier", bp, "1")
    assert {source: note["version"] for source, note in scores["notes"].items()} == dict.fromkeys(
        ("self_reported", "log_probability", "verifier", "agreement"), "1"
    )
    assert scores["notes"]["log_probability"]["problem"] == "none_returned"
    assert step.judgement["verdict"]["threshold_bp"] == 8_000
    assert step.judgement["verdict"]["policy_version"] == current().version
    assert step.judgement["route"] == "scripted"
    assert 0 <= step.coin.pop("value") < 1
    assert step.coin == {
        "rate": 0.0000001,
        "propensity": 0.0000001 if allowed else 1.0,
        "is_sample": False,
        "score_visible": True,
    }


def test_a_request_keeps_what_the_action_keeps(counter: Counter, rates: Any) -> None:
    rates(1.0)
    score_by(CHOICE)
    run = counter.start(Cast([pay()], [review(0.9, "Hm.")], [pay()]))
    request, step = counter.request(run), paid(run)
    assert step.coin is not None
    kept = {
        "confidence_bp": 9_000,
        "score_source": "verifier",
        "score_version": "1",
        "calibrated_bp": None,
        "signals": {"self_reported": 9_500, "verifier": 9_000, "agreement": 10_000},
        "threshold_bp": 8_000,
        "coin": step.coin["value"],
        "coin_rate": 1.0,
        "propensity": 1.0,
        "is_sample": True,
        "score_visible": False,
        "route": "scripted",
        "policy_version": current().version,
    }
    assert {name: getattr(request, name) for name in kept} == kept
    assert request.score_notes["verifier"]["objections"] == ["Hm."]
    assert request.confidence.notes["agreement"].samples == 2


def test_each_decision_keeps_when_it_was_opened_and_made_how_long_it_took_and_what_was_seen(
    counter: Counter, rates: Any, reviewer: User, second_reviewer: User, client: Client
) -> None:
    rates(0.0, hidden=1.0)
    run = counter.start([pay()])
    request = counter.request(run)
    client.force_login(reviewer, backend=BACKEND)
    assert client.get(f"/requests/{request.pk}/").status_code == 200
    changed = {"account": "A1", "amount": "41.00"}
    counter.decide(request, Verdict.EDIT, reviewer, arguments=changed, active_seconds=17)
    counter.decide(counter.request(run), Verdict.APPROVE, second_reviewer, active_seconds=3)
    edit, approval = Vote.objects.order_by("created_at")
    assert edit.opened_at is not None
    assert edit.opened_at <= edit.created_at
    assert (edit.active_seconds, edit.material, edit.score_visible) == (17, True, False)
    assert (approval.active_seconds, approval.material, approval.score_visible) == (3, False, False)
    request.refresh_from_db()
    assert request.decided_at is not None


@pytest.mark.parametrize("again", ["a1 ", "  A1", "a1"])
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_asking_again_in_other_words_draws_nothing_new(
    counter: Counter, reviewer: User, rates: Any, again: str, rate: float
) -> None:
    rates(0.5)
    first = pay(amount="60.00", confidence=0.1)
    run = counter.start(
        [first, pay(account=again, amount="60", confidence=0.2), final(summary="ok")]
    )
    counter.decide(counter.request(run), Verdict.SEND_BACK, reviewer, reason="Reword it.")
    # A rate that was changed meanwhile is the one in force; the coin stays.
    rates(rate)
    rules_published({**ALLOWED, "threshold": "0.00"})
    run = counter.go_on(run)
    coins = [step.coin or {} for step in Step.objects.filter(run=run, name="pay").in_order()]
    assert len({coin["value"] for coin in coins}) == 1
    assert [coin["rate"] for coin in coins] == [0.5, rate]
    assert coins[1]["is_sample"] == (rate == 1.0)
    assert run.state == ("waiting" if rate else "succeeded")


def test_another_thing_or_another_run_draws_anew(counter: Counter, bank: Bank) -> None:
    both = calls(
        *(call("pay", judged({"account": a, "amount": "1.00"})) for a in ("A1", "A1", "B2"))
    )
    first, second = counter.start([both]), counter.start([both])
    drawn = [
        [(step.coin or {})["value"] for step in Step.objects.filter(run=run, name="pay").in_order()]
        for run in (first, second)
    ]
    assert drawn[0][0] == drawn[0][1]
    assert len({value for run in drawn for value in run}) == 4


def test_reads_are_never_sampled(counter: Counter, rates: Any) -> None:
    rates(1.0)
    for tool in ("read_balance", "read_letter"):
        run = counter.start([calls(call(tool, judged({"account": "A1"}))), final(summary="ok")])
        step = Step.objects.get(run=run, name=tool)
        assert run.state == "succeeded"
        assert step.coin is not None
        assert (step.coin["is_sample"], step.coin["propensity"]) == (False, 0.0)
    assert not ApprovalRequest.objects.exists()
