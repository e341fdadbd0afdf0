"""Ask the gate about a proposed call, in the transaction that journals it, and record what it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from agents import spans
from agents.context import refusal_message
from agents.definitions import Agent
from agents.events import action_ref, args_disclosure, tell
from agents.gating import gate_context, propose
from agents.judged import Judged
from agents.models import Run, Step
from agents.states import StepState
from agents.tools import Tool
from approvals.coin import toss
from approvals.gate import judge, sampled
from approvals.policies import PublishedPolicy
from approvals.reasons import sentence
from approvals.schemas import Confidence, GateVerdict
from audit.actors import Actor
from audit.schemas import Outcome, PolicyRef


def judge_call(
    row: Step,
    agent: Agent,
    run: Run,
    tool: Tool,
    confidence: Confidence,
    published: PublishedPolicy,
    earlier: Sequence[str],
    now: datetime,
    *,
    route: str = "",
    actor: Actor | None = None,
) -> None:
    """Fill in the gate's word on a proposed call and record it.

    `route`: the model that proposes it. `actor`: the person who does, where it is not the agent; who then
    counts as its initiator.
    """
    with spans.gate(tool.name) as made:
        verdict = _judge_call(
            row, agent, run, tool, confidence, published, earlier, now, route=route, actor=actor
        )
        spans.gate_said(made, row, tool.risk, verdict)


def _judge_call(
    row: Step,
    agent: Agent,
    run: Run,
    tool: Tool,
    confidence: Confidence,
    published: PublishedPolicy,
    earlier: Sequence[str],
    now: datetime,
    *,
    route: str,
    actor: Actor | None,
) -> GateVerdict:
    action = propose(agent, run.agent_version.digest, tool, row.arguments or {})
    context = gate_context(run, agent, tool, earlier, now)
    if actor is not None and actor.kind == "person":
        context = context.model_copy(update={"initiator": int(actor.id)})
    verdict = judge(action, confidence, context, published)
    coin = toss(
        settings.COUNTERSIGN.coin_secret,
        run_id=run.pk,
        action=action,
        verdict=verdict,
        rate=settings.COUNTERSIGN.audit_rate,
        hidden_rate=settings.COUNTERSIGN.hidden_score_rate,
    )
    verdict = sampled(verdict, coin, action, published.policy)
    row.input_digest = action.digest
    row.confidence_bp = confidence.raw_bp
    judged = Judged(action, confidence, context, verdict)
    row.judgement = {
        **judged.stored(),
        "effect_class": tool.effect_class.value,
        "route": route,
    }
    row.coin = coin.model_dump(mode="json")
    kind = "action.proposed"
    if verdict.denied:
        kind = "action.denied"
        row.state = StepState.REFUSED
        row.problem = "denied"
        row.finished_at = now
        why = " ".join(sentence(reason) for reason in verdict.reasons)
        row.output = refusal_message(
            "denied", "denied_by_policy", why or "The policy denies this call."
        )
    elif verdict.allowed:
        kind = "action.allowed"
    seen = coin.score_visible
    tell(
        run,
        kind,
        actor=actor,
        action=action_ref(row, tool.risk),
        facts={
            "step": row.seq,
            "tool_version": tool.version,
            "effect_class": tool.effect_class.value,
            "threshold_bp": verdict.threshold_bp if seen else None,
            "score_source": confidence.source if seen else None,
        },
        policy=PolicyRef(
            version=verdict.policy_version,
            sha256=verdict.policy_sha256 or None,
            rule=verdict.rule or None,
        ),
        outcome=Outcome(decision=verdict.outcome.value),
        disclosures=[args_disclosure(run, action.digest)],
    )
    return verdict
