"""How a call of a journal would be read and judged now: pure, by the facts that the gate was told then."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from agents.definitions import Agent
from agents.gating import propose
from agents.journal import Journal
from agents.judged import Judged
from agents.llm_types import calls_in
from agents.masking import HIDDEN, NOT_SHOWN, Mask, score_hidden
from agents.models import Step
from agents.proposals import Malformed, read_call
from agents.rebuilding import Rebuilder
from agents.replayed import Verdict
from agents.route_steps import routed
from agents.services.record_reply import MOST_CALLS
from agents.states import PROPOSING, StepKind
from approvals.gate import judge, sampled
from approvals.policies import PublishedPolicy
from approvals.schemas import CoinToss
from audit.canonical import canonical_bytes
from audit.wordings import Words

WHY_NOT: Final = Words(
    {
        "no_tool": "The tool is not installed now.",
        "other_arguments": "The tool takes other arguments now.",
    }
)
READ: Final = Words(
    {
        "refused": "It would be refused now: {why}",
        "taken": "It would be taken now.",
        "otherwise": "Its arguments would be read otherwise now.",
    }
)


def reading_of(step: Step, rebuilder: Rebuilder, mask: Mask) -> str:
    """How a call of a reply would be read now, where that is not as it was; else empty."""
    reply = next(
        (s for s in reversed(rebuilder.steps) if s.seq < step.seq and s.kind in PROPOSING), None
    )
    if reply is None or reply.kind != StepKind.MODEL or not reply.response:
        return ""
    written, place = calls_in(reply.response), step.seq - reply.seq - 1
    # Of very many calls in a reply the last ones are not read at all.
    if place >= min(len(written), MOST_CALLS) or written[place].id != step.call_id:
        return ""
    read = read_call(_agent(step, rebuilder), written[place])
    if isinstance(read, Malformed):
        if step.arguments is None:
            return ""
        told = NOT_SHOWN if mask.covers(step.seq) else mask.withheld.text(read.message)
        return READ["refused"].format(why=told)
    if step.arguments is None:
        return READ["taken"]
    same = canonical_bytes(read.normalised) == canonical_bytes(proposed(step))
    return "" if same else READ["otherwise"]


def verdict_of(
    step: Step, rebuilder: Rebuilder, mask: Mask, published: PublishedPolicy | None
) -> Verdict | None:
    """The gate's word by the policy of now beside that of then; None for a call that was not judged."""
    if step.judgement is None or published is None:
        return None
    if mask.hides_confidence(step) or score_hidden(step):
        return Verdict("", "", 0, 0, HIDDEN)
    judged = Judged.load(step.judgement)
    then, number = judged.verdict.outcome.value, judged.verdict.policy_version
    agent = rebuilder.agent_at(step)
    tool = agent.tool(step.name)
    if tool is None:
        return Verdict(then, "", number, 0, WHY_NOT["no_tool"])
    arguments = dict(judged.action.arguments)
    try:
        tool.parse(arguments)
    except ValidationError:
        return Verdict(then, "", number, 0, WHY_NOT["other_arguments"])
    action = propose(agent, judged.action.agent_version, tool, arguments)
    choice = published.policy.scores.resolve(agent=action.agent, tool=action.tool)
    confidence = judged.confidence.decided_by(choice.source)
    verdict = judge(action, confidence, judged.context, published)
    if step.coin:
        toss = CoinToss.model_validate(step.coin)
        verdict = sampled(verdict, toss, action, published.policy)
    return Verdict(then, verdict.outcome.value, number, verdict.policy_version)


def proposed(step: Step) -> Any:
    """The arguments of a call as they were proposed, before a person changed them."""
    action = (step.judgement or {}).get("action") or {}
    return action.get("arguments", step.arguments)


def _agent(step: Step, rebuilder: Rebuilder) -> Agent:
    earlier = [each for each in rebuilder.steps if each.seq < step.seq]
    return routed(rebuilder.agent_at(step), Journal(earlier))
