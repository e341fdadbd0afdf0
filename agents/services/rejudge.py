"""Look again at a call that the gate allowed, when a policy was published since, and where rules count calls, as
others may have been sent since: it may only get tighter."""

from __future__ import annotations

from agents.context import refusal_message
from agents.events import action_ref, announce, tell
from agents.gating import calls_last_hour
from agents.judged import Judged
from agents.models import Step
from agents.services.claim import Lease, fenced
from agents.services.release_locks import release_locks
from agents.states import StepState
from approvals.gate import judge
from approvals.policies import PublishedPolicy
from approvals.reasons import sentence
from approvals.schemas import GateContext
from approvals.services.policies import current
from audit.clock import database_now
from audit.schemas import Outcome, PolicyRef


def still_allowed(lease: Lease, step: Step) -> bool:
    """Whether the policy of now allows the call too, judged by the facts of then, and by the calls of the hour until
    now: a reply with many calls is judged before the first of them is sent.

    Where it does not, the step is refused, or waits for a person, and False comes back.
    """
    assert step.judgement is not None, "every call of a tool is judged"
    published = current()
    judged = Judged.load(step.judgement)
    context = _counted(judged, published)
    same = judged.verdict.policy_version == published.version and context == judged.context
    if same and published.still_has(judged.verdict.rule):
        return True
    verdict = judge(judged.action, judged.confidence, context, published)
    if verdict.allowed:
        return True
    scores = published.policy.scores
    source = scores.resolve(agent=judged.action.agent, tool=judged.action.tool).source
    anew = Judged(judged.action, judged.confidence.decided_by(source), context, verdict)
    changes = {"judgement": {**step.judgement, **anew.stored()}}
    with fenced(lease) as run:
        if not verdict.denied:
            Step.objects.filter(pk=step.pk, state=StepState.PROPOSED).update(**changes)
            return False
        why = " ".join(sentence(reason) for reason in verdict.reasons)
        Step.objects.move(
            step.pk,
            StepState.REFUSED,
            problem="denied",
            finished_at=database_now(),
            output=refusal_message(
                "denied", "denied_by_policy", why or "The policy denies this call."
            ),
            **changes,
        )
        if step.locks:
            release_locks(run, step)
        tell(
            run,
            "action.denied",
            action=action_ref(step, judged.action.risk),
            facts={"step": step.seq},
            policy=PolicyRef(
                version=verdict.policy_version,
                sha256=verdict.policy_sha256 or None,
                rule=verdict.rule or None,
            ),
            outcome=Outcome(decision=verdict.outcome.value),
        )
        announce(run, "stepped")
    return False


def _counted(judged: Judged, published: PublishedPolicy) -> GateContext:
    """The facts of then, with the calls that were sent since where a rule counts them."""
    if not published.counts_calls:
        return judged.context
    by_now = calls_last_hour(judged.action, database_now())
    # They may have become fewer, which loosens nothing.
    return judged.context.model_copy(
        update={"calls_last_hour": max(by_now, judged.context.calls_last_hour)}
    )
