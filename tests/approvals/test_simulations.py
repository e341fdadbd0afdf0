"""A simulation equals putting every action of the range before the gate again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from approvals.errors import BadRange, DraftUnknown
from approvals.gate import judge
from approvals.models import ApprovalRequest, PolicyVersion, Simulation
from approvals.policies import Policy, PublishedPolicy, Rule, load
from approvals.ports import PastCall
from approvals.schemas import Confidence, GateContext, GateVerdict, ProposedAction
from approvals.services import policies, simulate
from approvals.services.decide import decide
from approvals.services.drafts import begin_draft
from approvals.services.publish import publish
from approvals.services.simulate import ask_simulation, resume_simulations, run_simulation
from approvals.vocabulary import Effect, GateOutcome, Risk
from audit.actors import Actor
from audit.clock import database_now
from audit.errors import Invalid
from tests.approvals.conftest import Opener
from tests.approvals.till import Till, by, context, refund, sure, verdict_on

pytestmark = pytest.mark.django_db

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=10)


def rule(**values: Any) -> Rule:
    return Rule.model_validate(values)


NOW_RULES = (
    rule(
        name="small",
        effect="allow",
        threshold="0.80",
        when={"tools": ["pay_back"], "condition": "args.amount <= 50"},
    ),
    rule(name="often", effect="review", when={"rate_above": 5}),
)
THEN_RULES = (
    rule(
        name="small",
        effect="allow",
        threshold="0.60",
        accepts_taint=True,
        when={"tools": ["pay_back"], "condition": "args.amount <= 80"},
    ),
    rule(name="often", effect="review", when={"rate_above": 8}),
    rule(name="first", effect="deny", when={"first_use": True, "risk_at_least": "high"}),
    rule(
        name="broken", effect="review", when={"condition": "args.absent > 1", "tools": ["look_up"]}
    ),
)


def history(number: int, seed: int) -> list[tuple[ProposedAction, Confidence, GateContext]]:
    """So many actions of all kinds."""
    dice = random.Random(seed)
    made = []
    for index in range(number):
        action = refund(
            f"{dice.randrange(100, 12_000) / 100:.2f}",
            tool=dice.choice(["pay_back", "pay_back", "look_up"]),
            risk=dice.choice(list(Risk)),
            effects=dice.choice([frozenset(), frozenset({Effect.MONEY})]),
            reversible=dice.choice([True, False]),
        )
        about = context(
            at=BEGIN + timedelta(minutes=index),
            tainted=dice.random() < 0.3,
            first_use=dice.random() < 0.1,
            calls_last_hour=dice.randrange(12),
        )
        score = dice.choice([None, *range(0, 10_001, 250)])
        confidence = Confidence() if score is None else sure(score)
        made.append((action, confidence, about))
    return made


def as_call(
    action: ProposedAction,
    confidence: Confidence,
    about: GateContext,
    request: ApprovalRequest | None = None,
) -> PastCall:
    return PastCall(
        at=about.at,
        action=action.model_dump(mode="json"),
        confidence=confidence.model_dump(mode="json"),
        context=about.model_dump(mode="json"),
        request=request.pk if request else None,
    )


@pytest.fixture
def draft(admin: User, till: Till, bystanders: list[User]) -> PolicyVersion:
    current = policies.current()
    publish(
        document=current.policy.model_copy(update={"rules": NOW_RULES}),
        base_version=current.version,
        caller=Actor.system("test"),
        why="Begin.",
    )
    current = policies.current()
    return begin_draft(
        document=current.policy.model_copy(update={"rules": THEN_RULES}),
        base_version=current.version,
        caller=by(admin),
    )


def simulated(draft: PolicyVersion, admin: User, line: str = "rule=small") -> dict[str, Any]:
    simulation = ask_simulation(
        draft_id=draft.pk, since=BEGIN, until=END, line=line, caller=by(admin)
    )
    assert simulation.state == "finished", simulation.problem
    result: dict[str, Any] = simulation.result
    return result


def judged(policy: Policy, past: tuple[Any, Any, Any]) -> GateVerdict:
    return judge(*past, PublishedPolicy(0, policy.digest(), policy))


def test_a_simulation_equals_the_gate_over_every_action(
    draft: PolicyVersion, admin: User, till: Till
) -> None:
    made = history(900, seed=7)
    till.past = [as_call(*past) for past in made]
    now, then = policies.current().policy, load(draft.document)
    pairs = [(judged(now, past), judged(then, past)) for past in made]
    result = simulated(draft, admin)
    assert result["actions"] == 900
    assert result["reviews_now"] == sum(a.outcome == GateOutcome.REVIEW for a, _ in pairs)
    assert result["reviews_then"] == sum(b.outcome == GateOutcome.REVIEW for _, b in pairs)
    assert result["denied_then"] == sum(b.denied for _, b in pairs)
    assert result["newly_unseen"] == sum(b.allowed and not a.allowed for a, b in pairs) > 0
    assert result["newly_paused"] == sum(
        a.allowed and b.outcome == GateOutcome.REVIEW for a, b in pairs
    )
    assert result["newly_denied"] == sum(b.denied and not a.denied for a, b in pairs) > 0
    assert result["reviews_a_day_then"] == round(result["reviews_then"] / 10, 2)
    for line in result["lines"]:
        mine = [
            pair for pair, past in zip(pairs, made, strict=True) if past[0].tool == line["tool"]
        ]
        assert line["actions"] == len(mine)
        assert line["reviews_then"] == sum(b.outcome == GateOutcome.REVIEW for _, b in mine)


def test_the_curve_equals_the_gate_at_every_threshold(
    draft: PolicyVersion, admin: User, till: Till
) -> None:
    made = history(250, seed=11)
    till.past = [as_call(*past) for past in made]
    then = load(draft.document)
    points = {point["threshold_bp"]: point for point in simulated(draft, admin)["curve"]}
    for share in (Decimal(0), Decimal("0.25"), Decimal("0.61"), Decimal("0.99"), Decimal(1)):
        policy = then.with_threshold(share, rule="small")
        reviews = sum(judged(policy, past).outcome == GateOutcome.REVIEW for past in made)
        assert points[int(share * 10_000)]["reviews"] == reviews


def test_what_people_refused_first_is_named_with_a_link(
    draft: PolicyVersion,
    admin: User,
    till: Till,
    opened: Opener,
    reviewer: User,
    second_reviewer: User,
) -> None:
    requests = {}
    for name in ("approve", "reject", "edit", "send_back", "pending"):
        request = requests[name] = opened(amount="60.00")
        if name == "pending":
            continue
        more = {"arguments": {**request.arguments, "amount": "10.00"}} if name == "edit" else {}
        if name in ("reject", "send_back"):
            more = {"reason": "No."}
        decide(
            request_id=request.pk, decision=verdict_on(request, name, **more), caller=by(reviewer)
        )
        if name == "edit":
            request.refresh_from_db()
            decide(request_id=request.pk, decision=verdict_on(request), caller=by(second_reviewer))
    about = context(at=BEGIN + timedelta(hours=1))
    till.past = [
        as_call(refund("60.00"), sure(7_000), about, request) for request in requests.values()
    ]
    result = simulated(draft, admin)
    assert result["newly_unseen"] == 5
    assert result["unseen_labels"] == {"fine": 1, "refused": 2, "sent_back": 1, "unlabelled": 1}
    named = {one["request"]: one["label"] for one in result["refused_first"]}
    assert named == {
        str(requests["reject"].pk): "refused",
        str(requests["edit"].pk): "refused",
        str(requests["send_back"].pk): "sent_back",
    }


def test_hours_of_reviewers_come_from_measured_decisions(
    draft: PolicyVersion, admin: User, till: Till, opened: Opener, reviewer: User
) -> None:
    till.past = [as_call(refund("300.00"), sure(), context(at=BEGIN)) for _ in range(36)]
    assert simulated(draft, admin)["hours_then"] is None
    request = opened()
    decision = verdict_on(request, active_seconds=100)
    decide(request_id=request.pk, decision=decision, caller=by(reviewer))
    now = database_now()
    till.past = [
        as_call(refund("300.00"), sure(), context(at=now - timedelta(hours=1))) for _ in range(36)
    ]
    simulation = ask_simulation(
        draft_id=draft.pk,
        since=now - timedelta(days=1),
        until=database_now(),
        line="",
        caller=by(admin),
    )
    assert simulation.result["reviews_then"] == 36
    assert simulation.result["hours_then"] == 1.0
    assert simulation.result["curve"] is None


def test_many_actions_are_judged_in_the_background_with_progress(
    draft: PolicyVersion, admin: User, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.past = [as_call(*past) for past in history(120, seed=3)]
    monkeypatch.setattr(simulate, "AT_ONCE", 100)
    simulation = ask_simulation(
        draft_id=draft.pk, since=BEGIN, until=END, line="", caller=by(admin)
    )
    assert (simulation.state, simulation.done, simulation.total) == ("queued", 0, 120)
    run_simulation(simulation.pk)
    simulation.refresh_from_db()
    assert (simulation.state, simulation.done, simulation.total) == ("finished", 120, 120)
    before = simulation.result
    run_simulation(simulation.pk)
    simulation.refresh_from_db()
    assert simulation.result == before


def test_one_whose_worker_was_lost_is_taken_up_again(
    draft: PolicyVersion, admin: User, till: Till
) -> None:
    simulation = ask_simulation(
        draft_id=draft.pk, since=BEGIN, until=END, line="", caller=by(admin)
    )
    rows = Simulation.objects.filter(pk=simulation.pk)
    rows.update(state="running", result=None)
    assert resume_simulations() == 0
    rows.update(beat_at=database_now() - timedelta(minutes=5))
    assert resume_simulations() == 1


def test_only_who_may_write_simulates_and_a_range_has_bounds(
    draft: PolicyVersion, admin: User, outsider: User, reviewer: User
) -> None:
    given: dict[str, Any] = {"draft_id": draft.pk, "since": BEGIN, "until": END, "line": ""}
    with pytest.raises(DraftUnknown):
        ask_simulation(**given, caller=by(reviewer))
    for since, until in ((END, BEGIN), (BEGIN, BEGIN), (BEGIN, BEGIN + timedelta(days=400))):
        with pytest.raises(BadRange):
            ask_simulation(**(given | {"since": since, "until": until}), caller=by(admin))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("risk=purple", "line_unknown"),
        ("colour=red", "line_unknown"),
        ("agent=till&rule=small", "line_unknown"),
        ("", None),
        ("nonsense", "line_unknown"),
        ("rule=nobody", "bad_policy"),
    ],
)
def test_a_curve_runs_over_a_threshold_that_there_is(
    draft: PolicyVersion, admin: User, till: Till, line: str, code: str | None
) -> None:
    given: dict[str, Any] = {"draft_id": draft.pk, "since": BEGIN, "until": END, "line": line}
    if code is None:
        assert ask_simulation(**given, caller=by(admin)).state == "finished"
        return
    with pytest.raises(Invalid) as refused:
        ask_simulation(**given, caller=by(admin))
    assert refused.value.code == code
    assert not Simulation.objects.exists()
