"""Every field of a policy with another value than the usual one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from approvals.policies import Policy, Rule, TimeWindow, When, default_policy
from approvals.schemas import GroupNeed, Requirements
from approvals.scores import Scores
from approvals.vocabulary import Effect, Expiry, Friction, Risk

RULE = Rule(
    name="large", title="Large: one of Finance", effect="review", requirements=Requirements()
)
OTHER: dict[str, Any] = {
    "title": "Larger",
    "scope": "group:support",
    "effect": "deny",
    "threshold": Decimal("0.70"),
    "accepts_taint": True,
    "agents": ("desk",),
    "tools": ("pay",),
    "effects": (Effect.MONEY,),
    "reversible": False,
    "risk_at_least": Risk.HIGH,
    "tainted": True,
    "first_use": True,
    "rate_above": 7,
    "time_window": TimeWindow(days=(5,), start=time(8), until=time(12)),
    "condition": "args.amount > 50",
    "groups": (GroupNeed(group="finance", count=2),),
    "exclude_owner": True,
    "editor_may_approve": True,
    "friction": Friction.SECOND_FACTOR,
    "friction_seconds": 60,
    "review_hours": 3.5,
    "calendar": "office",
    "extend_limit_hours": 8,
    "on_expiry": Expiry.ESCALATE,
    "escalation": ("finance", "support"),
    "reminder": False,
    "execute_by_minutes": 30.0,
    "undo_seconds": 5.0,
    "outcome": "allow",
    "risks": (Risk.CRITICAL,),
}
WHOLE: dict[str, Any] = {
    "thresholds": default_policy().with_threshold("0.5", tool="pay").thresholds,
    "baseline": (),
    "rules": (RULE,),
    "undo_seconds": 3.0,
    "review_hours": 5.0,
    "calendar": "office",
    "sticky_hours": 1.0,
    "delegates": ("support",),
    "scores": Scores.model_validate(default_policy().scores.with_line({}, {"source": "verifier"})),
}


def with_rule(rule: Rule) -> Policy:
    return default_policy().model_copy(update={"rules": (rule,)})


def changed(part: BaseModel, field: str, value: Any) -> Any:
    """The part with one field changed, wherever inside it that stands."""
    inner = {"when": When, "requirements": Requirements}
    for name, model in inner.items():
        if name in type(part).model_fields and field in model.model_fields:
            return part.model_copy(
                update={name: getattr(part, name).model_copy(update={field: value})}
            )
    return part.model_copy(update={field: value})


def fields_of(part: type[BaseModel]) -> Iterator[str]:
    for name in part.model_fields:
        if name == "when":
            yield from fields_of(When)
        elif name == "requirements":
            yield from fields_of(Requirements)
        else:
            yield name
