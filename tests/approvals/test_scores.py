"""Which score decides is a part of the policy: its lines, its bounds, its words, and what the gate makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.errors import BadPolicy
from approvals.gate import judge
from approvals.policies import Policy, PublishedPolicy, default_policy, load
from approvals.policy_diff import changes
from approvals.reasons import sentences, without_score
from approvals.schemas import Confidence, GateVerdict, ScoreNote
from approvals.score_words import score_lines, scores_as_json
from approvals.scores import ScoreChoice, Scores
from approvals.simulating import Comparison, PastAction, Times
from tests.approvals.till import context, refund

ALLOW = {"name": "all", "when": {}, "effect": "allow", "threshold": "0.80"}


def policy(**scores: Any) -> Policy:
    return load({"scores": scores, "rules": [ALLOW]})


def judged(confidence: Confidence | None, **scores: Any) -> GateVerdict:
    return judge(refund(), confidence, context(), PublishedPolicy(1, "", policy(**scores)))


def test_the_model_s_own_word_decides_as_shipped() -> None:
    assert default_policy().scores == Scores()
    assert Scores().resolve(agent="till", tool="pay_back").source == "self_reported"


def test_the_most_specific_line_counts_and_counts_whole() -> None:
    scores = policy(
        default={"source": "log_probability"},
        agents={"till": {"source": "verifier", "also": ["agreement"], "samples": 5}},
        tools={"pay_back": {"source": "agreement", "samples": 2}},
        agent_tools={"till": {"pay_back": {"source": "self_reported"}}},
    ).scores
    found = [
        scores.resolve(agent=agent, tool=tool).source
        for agent, tool in (
            ("till", "pay_back"),
            ("shop", "pay_back"),
            ("till", "read"),
            ("shop", "read"),
        )
    ]
    assert found == ["self_reported", "agreement", "verifier", "log_probability"]
    assert not scores.resolve(agent="till", tool="pay_back").takes_calls
    assert scores.resolve(agent="till", tool="read").replies == 5


@pytest.mark.parametrize(
    ("scores", "field", "says"),
    [
        ({"default": {"source": "gut"}}, "scores.default.source", "name one of self_reported"),
        (
            {"tools": {"pay": {"source": "agreement", "samples": 1}}},
            "scores.tools.pay.samples",
            "2 to 9 samples",
        ),
        (
            {"tools": {"pay": {"source": "agreement", "samples": 10}}},
            "scores.tools.pay.samples",
            "2 to 9 samples",
        ),
        (
            {"tools": {"pay": {"source": "agreement", "samples": True}}},
            "scores.tools.pay.samples",
            "2 to 9 samples",
        ),
        (
            {"agents": {"till": {"source": "verifier", "samples": 3}}},
            "scores.agents.till",
            "only agreement takes samples",
        ),
        (
            {"default": {"source": "verifier", "also": ["verifier"]}},
            "scores.default",
            "verifier decides already",
        ),
        (
            {"default": {"also": ["verifier", "verifier"]}},
            "scores.default.also",
            "a source stands twice",
        ),
        ({"default": {"also": ["gut"]}}, "scores.default.also.0", "name one of"),
        ({"default": {"sauce": "verifier"}}, "scores.default.sauce", "Extra inputs"),
        ({"people": {}}, "scores.people", "Extra inputs"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_field(
    scores: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(BadPolicy) as refused:
        load({"scores": scores})
    (error,) = refused.value.params["errors"]
    assert error["field"] == field
    assert says in error["message"]


def test_a_policy_with_scores_is_read_back_as_it_was_written() -> None:
    made = policy(agents={"till": {"source": "agreement", "samples": 4, "also": ["verifier"]}})
    assert load(made.document()) == made
    assert load(made.document()).digest() == made.digest()


def test_changed_scores_are_told_line_by_line() -> None:
    before = policy(tools={"pay": {"source": "verifier"}})
    after = policy(
        default={"also": ["log_probability"]},
        agent_tools={"till": {"pay": {"source": "agreement", "also": ["verifier"]}}},
    )
    assert changes(before, after) == [
        "Pay by till: agreement over 3 replies decides; the verifier is recorded too; this is new.",
        "Everything else: the model's own word decides; the log-probabilities of its tokens are "
        "recorded too; before, the model's own word decides.",
        "Pay, whichever agent: taken out; it was that the verifier decides.",
    ]


BOTH = Confidence(
    raw_bp=9_500,
    source="self_reported",
    signals={"self_reported": 9_500, "verifier": 3_000},
    notes={"verifier": ScoreNote(version="7", objections=("No.",))},
)


def test_the_gate_compares_the_score_that_the_policy_names() -> None:
    assert judged(BOTH).allowed
    verdict = judged(BOTH, default={"source": "verifier"})
    assert not verdict.allowed
    assert verdict.confidence_bp == 3_000
    assert "The verifier's score 0.30 is below the threshold 0.80 of the rule." in sentences(
        verdict.reasons
    )


@pytest.mark.parametrize("source", ["verifier", "agreement", "log_probability"])
@pytest.mark.parametrize("confidence", [None, Confidence(), Confidence(raw_bp=10_000)])
def test_a_score_that_is_asked_for_and_not_there_counts_as_zero_aloud(
    source: str, confidence: Confidence | None
) -> None:
    verdict = judged(confidence, default={"source": source})
    assert not verdict.allowed
    assert verdict.confidence_bp == 0
    assert any("counts as zero" in said for said in sentences(verdict.reasons))


def test_a_calibrated_score_is_used_for_its_own_source_alone() -> None:
    calibrated = BOTH.model_copy(update={"calibrated_bp": 7_000})
    assert not judged(calibrated).allowed
    assert judged(calibrated).confidence_bp == 7_000
    assert judged(calibrated, default={"source": "verifier"}).confidence_bp == 3_000


def test_reasons_of_a_hidden_score_do_not_tell_it() -> None:
    verdict = judged(None, default={"source": "verifier"})
    told = without_score([reason.model_dump(mode="json") for reason in verdict.reasons])
    assert {reason["code"] for reason in told} == {"nothing_speaks", "second_look"}
    assert "verifier" not in str(told)


def test_every_score_is_told_with_how_it_came_about() -> None:
    confidence = Confidence(
        signals={"self_reported": 9_500, "agreement": 6_666},
        notes={
            "self_reported": ScoreNote(),
            "agreement": ScoreNote(samples=3, agreeing=2),
            "verifier": ScoreNote(problem="model_timeout"),
        },
    ).decided_by("agreement")
    assert scores_as_json(confidence) == {
        "self_reported": {"score": 0.95, "version": "1", "decides": False},
        "agreement": {
            "score": 0.6666,
            "version": "1",
            "decides": True,
            "samples": 3,
            "agreeing": 2,
        },
        "verifier": {
            "score": None,
            "version": "1",
            "decides": False,
            "problem": "model_timeout",
        },
    }
    first, *others = score_lines(confidence)
    assert (first.title, first.text, first.about) == (
        "Agreement",
        "0.6666",
        "2 of 3 replies propose it",
    )
    assert [line.text for line in others] == ["0.95", "no score"]
    beside = confidence.decided_by("self_reported")
    assert [line.text for line in score_lines(beside)] == ["0.95", "no score", "0.67"]


def test_objections_are_left_out_for_whoever_may_not_see_the_arguments() -> None:
    assert scores_as_json(BOTH)["verifier"]["objections"] == ["No."]
    assert "objections" not in scores_as_json(BOTH, objections=False)["verifier"]
    assert [line.objections for line in score_lines(BOTH, objections=False)] == [(), ()]


def test_a_choice_says_how_many_replies_it_compares() -> None:
    assert ScoreChoice(source="agreement").replies == 3


def test_the_simulator_s_curve_goes_by_the_score_that_would_decide() -> None:
    then, *extremes = (
        PublishedPolicy(
            2, "", policy(default={"source": "verifier"}).with_threshold(share, rule="all")
        )
        for share in ("0.80", "0.00", "1.00")
    )
    compared = Comparison(
        PublishedPolicy(1, "", policy()), then, Times(), (extremes[0], extremes[1])
    )
    compared.add(PastAction(context().at, refund(), BOTH, context()))
    curve = compared.result(1)["curve"]
    assert next(point["threshold_bp"] for point in curve if point["reviews"]) == 3_100
