"""A policy of many rules and the actions that it judges, made up the same way each time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from approvals.digests import action_digest
from approvals.policies import Policy, default_policy, load
from approvals.schemas import Confidence, GateContext, ProposedAction
from approvals.vocabulary import Effect, Risk

SEED = 20_261_121
AGENTS = ("refund-desk", "mailer", "warehouse", "billing", "database", "support")
TOOLS = {
    "issue_refund": (Risk.MEDIUM, frozenset({Effect.MONEY}), False),
    "pay_invoice": (Risk.HIGH, frozenset({Effect.MONEY}), False),
    "send_mail": (Risk.MEDIUM, frozenset({Effect.EXTERNAL_COMMUNICATION}), False),
    "change_address": (Risk.MEDIUM, frozenset({Effect.PERSONAL_DATA}), True),
    "run_sql": (Risk.CRITICAL, frozenset({Effect.PRODUCTION, Effect.DESTRUCTIVE}), False),
    "read_order": (Risk.LOW, frozenset[Effect](), True),
    "restock": (Risk.LOW, frozenset[Effect](), True),
    "rotate_key": (Risk.HIGH, frozenset({Effect.CREDENTIALS}), True),
}
#: Over the same arguments, from a single comparison to a loop over lists; rarely true, as rules are.
CONDITIONS = (
    "args.amount > {number}",
    "args.amount <= {number} && args.currency == 'EUR'",
    "args.customer.country in ['DE', 'FR', 'IT', 'ES'] && args.amount > {number}",
    "args.customer.email.endsWith('@example{number}.com')",
    "args.reason.matches('chargeback {number}|fraud {number}')",
    "args.lines.exists(line, line.price > {number} && line.quantity > 3)",
    "args.lines.all(line, line.sku.startsWith('A{number}'))",
    "size(args.lines) > {number}",
    "has(args.statement) && args.statement.contains('DROP TABLE t{number}')",
    "args.customer.orders < {number} && !args.customer.verified",
)
NEVER_TRUE = (0, 2, 3, 4, 5, 6, 7, 8)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order": {"type": "string"},
        "amount": {"anyOf": [{"type": "number"}, {"type": "string"}]},
        "currency": {"type": "string"},
        "reason": {"type": "string"},
        "customer": {"$ref": "#/$defs/Customer"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
    },
    "$defs": {
        "Customer": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "email": {"type": "string"},
                "country": {"type": "string"},
                "orders": {"type": "integer"},
                "verified": {"type": "boolean"},
                "address": {"type": "array", "items": {"type": "string"}},
            },
        },
        "Line": {
            "type": "object",
            "properties": {
                "sku": {"type": "string"},
                "title": {"type": "string"},
                "quantity": {"type": "integer"},
                "price": {"anyOf": [{"type": "number"}, {"type": "string"}]},
            },
        },
    },
}
VERSION = "sha256:" + "a" * 64
BEGIN = datetime(2026, 11, 2, tzinfo=UTC)


def policy(rules: int) -> Policy:
    """Rules as installations have them: most name a tool or an agent, half have a condition."""
    random = Random(SEED)
    made = [_rule(random, number) for number in range(rules)]
    return load(default_policy().document() | {"rules": made, "delegates": ["support"]})


def unkind_policy(rules: int) -> Policy:
    """The slowest there is: every rule is about every action, has a condition, and is evaluated."""
    made = [
        {
            "name": f"rule-{number}",
            # What denies ends the search, so none of these conditions is ever true.
            "effect": "deny" if number % len(CONDITIONS) in NEVER_TRUE else "review",
            "when": {"condition": condition(number % len(CONDITIONS), 10_000 + number)},
        }
        for number in range(rules)
    ]
    return load(default_policy().document() | {"rules": made})


def _rule(random: Random, number: int) -> dict[str, Any]:
    effect = random.choices(["allow", "review", "deny"], [4, 5, 1])[0]
    when = _when(random)
    if not when or (effect != "allow" and random.random() < 0.95):
        # Else every action would meet a rule that stops it.
        when["condition"] = condition(random.choice(NEVER_TRUE), random.randint(5_000, 9_000))
    rule: dict[str, Any] = {"name": f"rule-{number}", "effect": effect, "when": when}
    if effect == "allow":
        rule |= {"threshold": round(random.uniform(0.6, 0.99), 2), "accepts_taint": number % 2 == 0}
    if effect == "review":
        group = random.choice(["@owner", "finance", "support", "security"])
        rule["requirements"] = {"groups": [{"group": group, "count": random.randint(1, 2)}]}
    if random.random() < 0.2:
        rule["scope"] = random.choice(["group:support", "group:finance"])
    return rule


def _when(random: Random) -> dict[str, Any]:
    choices: list[tuple[float, str, Any]] = [
        (0.7, "tools", random.sample(list(TOOLS), random.randint(1, 2))),
        (0.4, "agents", random.sample(AGENTS, random.randint(1, 2))),
        (0.2, "effects", [random.choice(list(Effect)).value]),
        (0.1, "risk_at_least", random.choice(list(Risk)).value),
        (0.1, "tainted", random.random() < 0.5),
        (0.1, "rate_above", random.randint(20, 200)),
        (0.1, "time_window", {"start": "20:00", "until": "06:00", "timezone": "Europe/Berlin"}),
        (0.6, "condition", condition(random.randrange(len(CONDITIONS)), random.randint(200, 900))),
    ]
    return {name: value for share, name, value in choices if random.random() < share}


def condition(which: int, number: int) -> str:
    """One of `CONDITIONS` with a number of its own."""
    return CONDITIONS[which].replace("{number}", str(number))


def calls(count: int) -> Iterator[dict[str, Any]]:
    """Action, confidence and context of each as JSON, as journals keep them."""
    random = Random(SEED + 1)
    schema = SCHEMA
    for number in range(count):
        yield {
            "at": BEGIN + timedelta(seconds=20 * number),
            "action": _action(random, number, schema),
            "confidence": _confidence(random),
            "context": _context(random, number),
        }


def judged(count: int) -> list[tuple[ProposedAction, Confidence, GateContext]]:
    """The same as the gate takes them."""
    return [
        (
            ProposedAction.model_validate(call["action"]),
            Confidence.model_validate(call["confidence"]),
            GateContext.model_validate(call["context"]),
        )
        for call in calls(count)
    ]


def _action(random: Random, number: int, schema: dict[str, Any]) -> dict[str, Any]:
    tool = random.choice(list(TOOLS))
    risk, effects, reversible = TOOLS[tool]
    arguments = _arguments(random, number)
    return {
        "agent": random.choice(AGENTS),
        "agent_version": VERSION,
        "agent_title": "An agent",
        "owner_group": random.choice(["support", "finance", "operations"]),
        "tool": tool,
        "tool_version": "1",
        "arguments": arguments,
        "digest": action_digest(tool, "1", arguments),
        "risk": risk.value,
        "effects": sorted(effect.value for effect in effects),
        "reversible": reversible,
        "known": True,
        "argument_schema": schema,
        "identity": {"order": arguments["order"]},
    }


def _arguments(random: Random, number: int) -> dict[str, Any]:
    return {
        "order": f"ORD-{10_000 + number}",
        "amount": f"{random.uniform(1, 500):.2f}",
        "currency": "EUR",
        "reason": "The customer writes that the parcel came late and the lamp in it was broken.",
        "customer": {
            "name": "Ada Example",
            "email": f"ada{number}@example.org",
            "country": random.choice(["DE", "FR", "NL", "US"]),
            "orders": random.randint(1, 40),
            "verified": random.random() < 0.8,
            "address": ["12 Long Street", "10115 Berlin", "Germany"],
        },
        "lines": [
            {
                "sku": f"B{random.randint(100, 999)}",
                "title": "Reading lamp, brass, with a shade of linen",
                "quantity": random.randint(1, 3),
                "price": f"{random.uniform(1, 90):.2f}",
            }
            for _ in range(8)
        ],
    }


def _confidence(random: Random) -> dict[str, Any]:
    score = random.randint(4_000, 10_000)
    return {"raw_bp": score, "source": "self_reported", "signals": {"self_reported": score}}


def _context(random: Random, number: int) -> dict[str, Any]:
    tainted = random.random() < 0.2
    return {
        "at": (BEGIN + timedelta(seconds=20 * number)).isoformat(),
        "tainted": tainted,
        "tainted_by": ["read_ticket"] if tainted else [],
        "first_use": random.random() < 0.02,
        "calls_last_hour": random.randint(0, 60),
        "budget_used_bp": random.randint(0, 9_000),
        "initiator": 1,
        "earlier": ["read_order", "read_ticket"],
    }
