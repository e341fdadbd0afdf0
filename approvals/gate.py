"""The gate: action, confidence, context and published policy in; allow, review or deny out.

Pure, and it never raises: whatever goes wrong inside is a review. It fails closed everywhere else
too: an unknown tool is denied, an action that nothing speaks of is reviewed, an unusable
confidence counts as zero, a condition without an answer denies in a deny rule and reviews in any
other.
"""

from __future__ import annotations

from collections.abc import Iterable

from approvals.baseline import Baseline, baseline_of, total
from approvals.conditions import Answers
from approvals.matching import Finding, answers_of, speaking
from approvals.policies import STICKY_PREFIX, Policy, PublishedPolicy, Rule
from approvals.schemas import (
    CoinToss,
    Confidence,
    GateContext,
    GateVerdict,
    ProposedAction,
    Reason,
    Requirements,
)
from approvals.thresholds import Threshold, basis_points
from approvals.vocabulary import Friction, GateOutcome, Risk, is_consequential


def judge(
    action: ProposedAction,
    confidence: Confidence | None,
    context: GateContext,
    published: PublishedPolicy,
    answers: Answers | None = None,
) -> GateVerdict:
    """What the published policy says about this action. Rule order does not matter.

    `answers` (`matching.answers_of`) saves work where one action is judged by several policies.
    """
    try:
        return _judge(action, confidence, context, published, answers or answers_of(action))
    except Exception as error:  # noqa: BLE001
        # The gate stands in the way of every action: an error in it must neither let one through
        # nor break the run, so a person looks.
        return GateVerdict(
            outcome=GateOutcome.REVIEW,
            reasons=(Reason(code="gate_error", params={"error": type(error).__name__}),),
            requirements=_settled(
                Requirements(), published.policy, risk=action.risk, consequential=True
            ),
            policy_version=published.version,
            policy_sha256=published.sha256,
        )


def sampled(
    verdict: GateVerdict, toss: CoinToss, action: ProposedAction, policy: Policy
) -> GateVerdict:
    """The verdict after the audit coin: an allowed action that was drawn is reviewed all the same.

    It reads like an action that the baseline reviews with its score hidden, so that the reviewer
    cannot tell one from the other.
    """
    if not (verdict.allowed and toss.is_sample):
        return verdict
    baseline = _baseline(action, policy)
    reasons = [_by_baseline(baseline, action)] if baseline.reviews else []
    return verdict.model_copy(
        update={
            "outcome": GateOutcome.REVIEW,
            "reasons": (*reasons, Reason(code="second_look")),
            "requirements": _settled(
                baseline.requirements,
                policy,
                risk=action.risk,
                consequential=action.is_consequential,
            ),
            "rule": "",
        }
    )


def _judge(
    action: ProposedAction,
    confidence: Confidence | None,
    context: GateContext,
    published: PublishedPolicy,
    answers: Answers,
) -> GateVerdict:
    policy = published.policy
    source = policy.scores.resolve(agent=action.agent, tool=action.tool).source
    confidence = (confidence or Confidence()).decided_by(source)
    confidence_bp = confidence.value_bp
    resolved = policy.thresholds.resolve(agent=action.agent, tool=action.tool, risk=action.risk)

    def verdict(
        outcome: GateOutcome,
        reasons: Iterable[Reason],
        threshold_bp: int = resolved.value_bp,
        requirements: Requirements | None = None,
        rule: str = "",
    ) -> GateVerdict:
        consequential = is_consequential(action.risk, action.effects)
        return GateVerdict(
            outcome=outcome,
            reasons=tuple(reasons),
            requirements=_settled(
                requirements, policy, risk=action.risk, consequential=consequential
            )
            if requirements is not None
            else None,
            rule=rule,
            threshold_bp=threshold_bp,
            confidence_bp=confidence_bp,
            policy_version=published.version,
            policy_sha256=published.sha256,
        )

    if context.stopped:
        return verdict(GateOutcome.DENY, [Reason(code="stopped", params={"why": context.stopped})])
    if not action.known:
        return verdict(
            GateOutcome.DENY, [Reason(code="unknown_tool", params={"tool": action.tool})]
        )

    findings = speaking(action, context, published, answers)
    denies = [f for f in findings if f.rule.effect == "deny"]
    if denies:
        return verdict(
            GateOutcome.DENY,
            [f.reason("denied_by_rule") for f in denies],
            rule=denies[0].rule.name,
        )

    # An allow rule without an answer is a rule that reviews, and asks for what the baseline asks.
    unanswered = [f for f in findings if f.rule.effect == "allow" and f.problem]
    baseline = _baseline(action, policy)
    allows = [
        f
        for f in findings
        if f.rule.effect == "allow" and not f.problem and _may_allow(f.rule, action, baseline)
    ]
    reviews = [f for f in findings if f.rule.effect == "review"]
    threshold = _own_threshold(allows, resolved, context)

    # What the global document says by itself; a group's own rules only add to it.
    wide = [f for f in reviews if f.rule.group is None]
    scoped = [f for f in reviews if f.rule.group is not None]
    doubts = _doubts(action, context, confidence, threshold)
    if reviews or unanswered:
        asked = [f.rule.requirements or Requirements() for f in wide]
        if not wide and (unanswered or baseline.reviews or doubts):
            asked.append(baseline.requirements)
        asked.extend(f.rule.requirements or Requirements() for f in scoped)
        reasons = [f.reason("reviewed_by_rule") for f in (*reviews, *unanswered)]
        reasons.extend(doubts)
        return verdict(
            GateOutcome.REVIEW,
            reasons,
            threshold.value_bp,
            total(asked),
            rule=(*reviews, *unanswered)[0].rule.name,
        )

    for finding in allows:
        own = _threshold_of(finding.rule, resolved)
        if _accepts(finding.rule, context) and confidence_bp >= own.value_bp:
            params = {"threshold_bp": own.value_bp, "confidence_bp": confidence_bp}
            return verdict(
                GateOutcome.ALLOW,
                [finding.reason("allowed_by_rule", **params)],
                own.value_bp,
                rule=finding.rule.name,
            )

    if baseline.reviews:
        return verdict(
            GateOutcome.REVIEW,
            [_by_baseline(baseline, action), *doubts],
            threshold.value_bp,
            baseline.requirements,
        )
    if doubts:
        return verdict(GateOutcome.REVIEW, doubts, threshold.value_bp, baseline.requirements)
    params = {"threshold_bp": threshold.value_bp, "confidence_bp": confidence_bp}
    return verdict(
        GateOutcome.ALLOW,
        [Reason(code="allowed_by_baseline", params=params)],
        threshold.value_bp,
    )


def _doubts(
    action: ProposedAction, context: GateContext, confidence: Confidence, threshold: Threshold
) -> list[Reason]:
    """What speaks against letting it run by the baseline, and is worth telling in any case."""
    doubts = []
    # The model's own word goes without saying.
    score = (
        {}
        if confidence.source in ("self_reported", "declared", "none")
        else {"score": confidence.source}
    )
    if confidence.value_bp < threshold.value_bp:
        if score and not confidence.is_usable:
            note = confidence.notes.get(confidence.source)
            problem = note.problem if note else ""
            doubts.append(Reason(code="no_score", params={**score, "problem": problem}))
        params = {
            "confidence_bp": confidence.value_bp,
            "threshold_bp": threshold.value_bp,
            "source": threshold.source,
            **score,
        }
        doubts.append(Reason(code="below_threshold", params=params))
    if context.tainted and is_consequential(action.risk, action.effects):
        doubts.append(Reason(code="tainted", params={"by": list(context.tainted_by)}))
    return doubts


def _threshold_of(rule: Rule, resolved: Threshold) -> Threshold:
    if rule.threshold is None:
        return resolved
    return Threshold(basis_points(rule.threshold), "rule")


def _may_allow(rule: Rule, action: ProposedAction, baseline: Baseline) -> bool:
    """A sticky approval stands for one plain approval, also of a call that was riskier or asked for more since."""
    if not rule.name.startswith(STICKY_PREFIX):
        return True
    asked = baseline.requirements
    plain = asked.people <= 1 and asked.friction == Friction.NONE
    return plain and action.risk is not Risk.CRITICAL


def _accepts(rule: Rule, context: GateContext) -> bool:
    return rule.accepts_taint or not context.tainted


def _own_threshold(allows: list[Finding], resolved: Threshold, context: GateContext) -> Threshold:
    """The threshold that counts: the lowest that an allow rule sets, else the resolved one.

    A rule that does not accept the run's taint allows nothing in it, so it lowers no threshold either.
    """
    able = (_threshold_of(f.rule, resolved) for f in allows if _accepts(f.rule, context))
    lowest = min(
        able,
        key=lambda threshold: threshold.value_bp,
        default=resolved,
    )
    unable = (_threshold_of(f.rule, resolved) for f in allows if not _accepts(f.rule, context))
    return max((lowest, *unable), key=lambda threshold: threshold.value_bp)


def _baseline(action: ProposedAction, policy: Policy) -> Baseline:
    return baseline_of(
        policy, risk=action.risk, effects=action.effects, reversible=action.reversible
    )


def _by_baseline(baseline: Baseline, action: ProposedAction) -> Reason:
    params = {
        "risk": action.risk.value,
        "effects": sorted(effect.value for effect in action.effects),
        "reversible": action.reversible,
    }
    return Reason(code="baseline" if baseline.spoke else "nothing_speaks", params=params)


def _settled(
    requirements: Requirements, policy: Policy, *, risk: Risk, consequential: bool
) -> Requirements:
    """With the policy's own deadline and undo time where nothing else was asked for. What is critical is never
    approved in passing: its subject is typed at least, whatever the policy says."""
    undo = policy.undo_seconds if consequential else 0
    slips = risk is Risk.CRITICAL and requirements.friction.rank < Friction.TYPED.rank
    return requirements.model_copy(
        update={
            **({"friction": Friction.TYPED, "friction_seconds": 0} if slips else {}),
            "review_hours": requirements.review_hours or policy.review_hours,
            "calendar": policy.calendar if requirements.calendar is None else requirements.calendar,
            "undo_seconds": undo
            if requirements.undo_seconds is None
            else requirements.undo_seconds,
        }
    )
