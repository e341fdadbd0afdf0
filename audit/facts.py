"""The event types, and the small typed facts that each of them may carry beside its references.

Facts are codes, counts, ids and moments. Whatever is personal, free text or the digest of short content
is a disclosure instead (`audit.schemas.Disclose`), and so is what must stay secret for a while, such
as a score that the reviewer may not see yet. An event type or a fact that is not listed here is refused.
"""

from typing import Any, Final

from pydantic import ValidationError

from audit.canonical import OutsideProfile
from audit.fact_schemas import (
    AbsenceFacts,
    AccessRefused,
    ActionFacts,
    AgentFacts,
    ApprovalLapsed,
    BreakerFacts,
    BudgetFacts,
    CalendarFacts,
    DecisionRefused,
    DisclosureFacts,
    EffectFacts,
    EvaluationCaseFacts,
    EvaluationFacts,
    ExportFacts,
    FactorFacts,
    Facts,
    GroupFacts,
    HoldFacts,
    KeyFacts,
    LanguageFacts,
    LimitFacts,
    LogFacts,
    MemoryDeleted,
    ModelCalled,
    ModelChanged,
    PersonFacts,
    PolicyFacts,
    PriceFacts,
    ReasonChipFacts,
    RequestClaimed,
    RequestCommented,
    RequestDecided,
    RequestEdited,
    RequestEscalated,
    RequestExtended,
    RequestFacts,
    RequestReminded,
    RequestSnoozed,
    RequestSuperseded,
    RequestVoted,
    RetentionFacts,
    ReviewGroupFacts,
    RunDelegated,
    RunEnded,
    RunFacts,
    RunForked,
    RunVersionChanged,
    SampleFacts,
    SessionFacts,
    SessionsEnded,
    SinkFacts,
    StickyFacts,
    SwitchFacts,
    TokenFacts,
    VerificationFacts,
    WitnessFacts,
)

FACTS: Final[dict[str, type[Facts]]] = {
    "run.started": RunFacts,
    "run.parked": RunFacts,
    "run.woken": RunFacts,
    "run.delegated": RunDelegated,
    "run.forked": RunForked,
    "run.ended": RunEnded,
    "run.cancelled": RunEnded,
    "run.paused": RunFacts,
    "run.resumed": RunFacts,
    "run.version_changed": RunVersionChanged,
    "run.messaged": RunFacts,
    "run.sensitive_read": RunFacts,
    "run.goal_changed": RunFacts,
    "run.taken_over": RunFacts,
    "model.called": ModelCalled,
    "action.proposed": ActionFacts,
    "action.allowed": ActionFacts,
    "action.denied": ActionFacts,
    "action.queued": ActionFacts,
    "action.admitted": ActionFacts,
    "request.opened": RequestFacts,
    "request.shown": RequestFacts,
    "request.sensitive_read": RequestFacts,
    "request.claimed": RequestClaimed,
    "request.released": RequestFacts,
    "request.voted": RequestVoted,
    "request.edited": RequestEdited,
    "request.decided": RequestDecided,
    "request.tightened": RequestFacts,
    "request.undone": RequestFacts,
    "request.expired": RequestFacts,
    "request.superseded": RequestSuperseded,
    "request.cancelled": RequestFacts,
    "request.extended": RequestExtended,
    "request.escalated": RequestEscalated,
    "request.passed_over": RequestFacts,
    "request.reminded": RequestReminded,
    "request.commented": RequestCommented,
    "request.snoozed": RequestSnoozed,
    "request.woken": RequestFacts,
    "decision.refused": DecisionRefused,
    "effect.dispatched": EffectFacts,
    "effect.succeeded": EffectFacts,
    "effect.accepted": EffectFacts,
    "effect.confirmed": EffectFacts,
    "effect.bounced": EffectFacts,
    "effect.contradicted": EffectFacts,
    "effect.undo_asked": EffectFacts,
    "effect.compensated": EffectFacts,
    "effect.failed": EffectFacts,
    "effect.in_doubt": EffectFacts,
    "effect.resolved": EffectFacts,
    "approval.lapsed": ApprovalLapsed,
    "sticky.granted": StickyFacts,
    "sticky.revoked": StickyFacts,
    "policy.drafted": PolicyFacts,
    "policy.submitted": PolicyFacts,
    "policy.withdrawn": PolicyFacts,
    "policy.published": PolicyFacts,
    "policy.rolled_back": PolicyFacts,
    "calendar.created": CalendarFacts,
    "calendar.changed": CalendarFacts,
    "calendar.deleted": CalendarFacts,
    "reason_chip.added": ReasonChipFacts,
    "reason_chip.changed": ReasonChipFacts,
    "reason_chip.moved": ReasonChipFacts,
    "reason_chip.retired": ReasonChipFacts,
    "reason_chip.restored": ReasonChipFacts,
    "agent.first_seen": AgentFacts,
    "agent.activated": AgentFacts,
    "agent.limits_set": LimitFacts,
    "agent.budget_spent": BudgetFacts,
    "memory.deleted": MemoryDeleted,
    "agent.model_changed": ModelChanged,
    "agent.disabled": SwitchFacts,
    "agent.enabled": SwitchFacts,
    "evaluation.finished": EvaluationFacts,
    "evaluation.interrupted": EvaluationFacts,
    "evaluation.case_saved": EvaluationCaseFacts,
    "evaluation.case_deleted": EvaluationCaseFacts,
    "switch.set": SwitchFacts,
    "switch.lifted": SwitchFacts,
    "price.set": PriceFacts,
    "breaker.opened": BreakerFacts,
    "breaker.closed": BreakerFacts,
    "signin.succeeded": SessionFacts,
    "signin.failed": SessionFacts,
    "signout": SessionFacts,
    "signin.confirmed": SessionFacts,
    "factor.added": FactorFacts,
    "factor.removed": FactorFacts,
    "factor.renamed": FactorFacts,
    "factor.used": FactorFacts,
    "factor.failed": FactorFacts,
    "factor.reset": FactorFacts,
    "recovery_codes.made": FactorFacts,
    "person.created": PersonFacts,
    "role.changed": PersonFacts,
    "language.chosen": LanguageFacts,
    "group.created": ReviewGroupFacts,
    "group.joined": GroupFacts,
    "group.left": GroupFacts,
    "stand_in.named": AbsenceFacts,
    "absence.ended": AbsenceFacts,
    "token.created": TokenFacts,
    "token.used_first": TokenFacts,
    "token.revoked": TokenFacts,
    "keys.set": KeyFacts,
    "sessions.ended": SessionsEnded,
    "export.asked": ExportFacts,
    "export.downloaded": ExportFacts,
    "verification.asked": VerificationFacts,
    "verification.ended": VerificationFacts,
    "access.refused": AccessRefused,
    "log.began": LogFacts,
    "log.succeeded": LogFacts,
    "log.key_added": LogFacts,
    "log.key_retired": LogFacts,
    "log.halted": LogFacts,
    "log.resumed": LogFacts,
    "log.adopted": LogFacts,
    "sink.declared": SinkFacts,
    "sink.failing": SinkFacts,
    "sink.recovered": SinkFacts,
    "sink.moved": SinkFacts,
    "witness.failing": WitnessFacts,
    "witness.recovered": WitnessFacts,
    "disclosure.read": DisclosureFacts,
    "redaction.proposed": DisclosureFacts,
    "redaction.declined": DisclosureFacts,
    "redaction.refused": DisclosureFacts,
    "disclosure.redacted": DisclosureFacts,
    "hold.set": HoldFacts,
    "hold.lifted": HoldFacts,
    "retention.dropped": RetentionFacts,
    "sample.drawn": SampleFacts,
}


class UnknownEventType(OutsideProfile):
    """An event type that the log has no schema for."""

    code = "unknown_event_type"


class UnknownFact(OutsideProfile):
    """Facts that the event's type does not know, or with values it does not allow."""

    code = "unknown_fact"


def checked_facts(event_type: str, facts: dict[str, Any] | None) -> dict[str, Any]:
    """The facts as they enter the body; `UnknownEventType` or `UnknownFact` says what does not fit."""
    try:
        schema = FACTS[event_type]
    except KeyError:
        raise UnknownEventType(
            f"There is no event type {event_type!r}; see audit/facts.py."
        ) from None
    try:
        return schema.model_validate(facts or {}).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'facts'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise UnknownFact(f"The facts of {event_type} do not fit their schema: {wrong}.") from error
