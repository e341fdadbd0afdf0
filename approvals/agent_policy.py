"""What the policy in force says of the tools of one agent, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext

from accounts.callers import Caller
from approvals.baseline import baseline_of
from approvals.eligibility import POLICY_READERS
from approvals.matching import may_speak
from approvals.naming import names
from approvals.policies import PublishedPolicy
from approvals.policy_words import (
    Names,
    requirements_sentence,
    rule_outcome,
    share_text,
    when_sentence,
)
from approvals.services import policies
from approvals.tightening import ToolFacts
from audit.wordings import Words

SOURCES = Words(
    {
        "agent_tool": "for this tool of this agent",
        "tool": "for this tool",
        "agent": "for this agent",
        "risk": "for its risk",
        "default": "for everything else",
    }
)


@dataclass(frozen=True)
class ToolPolicy:
    """What holds for one tool where no rule speaks."""

    tool: str
    title: str
    risk: str
    threshold: str
    source: str
    otherwise: str


@dataclass(frozen=True)
class AgentRule:
    """A rule that may speak of the agent; `tools` are the titles of those it is about where it does not name them."""

    title: str
    effect: str
    when: str
    condition: str
    outcome: str
    tools: Sequence[str]


@dataclass(frozen=True)
class AgentPolicy:
    """The policy in force as far as it is about one agent; `stickies`: approvals of it that last."""

    version: int
    tools: Sequence[ToolPolicy]
    rules: Sequence[AgentRule]
    stickies: int


def policy_of_agent(agent: str, tools: Sequence[ToolFacts], caller: Caller) -> AgentPolicy | None:
    """None for somebody who may not read policies. Two queries."""
    if not any(caller.holds(permission) for permission in POLICY_READERS):
        return None
    published = policies.current()
    called = names()
    return AgentPolicy(
        published.version,
        [_tool(facts, published, called) for facts in tools],
        list(_rules(tools, published, called)),
        stickies=sum(sticky.agent == agent for sticky in published.stickies),
    )


def _tool(facts: ToolFacts, published: PublishedPolicy, called: Names) -> ToolPolicy:
    policy = published.policy
    threshold = policy.thresholds.resolve(agent=facts.agent, tool=facts.tool, risk=facts.risk)
    said = baseline_of(policy, risk=facts.risk, effects=facts.effects, reversible=facts.reversible)
    needs = requirements_sentence(said.requirements, called)
    return ToolPolicy(
        tool=facts.tool,
        title=facts.title,
        risk=facts.risk.value,
        threshold=share_text(Decimal(threshold.value_bp).scaleb(-4)),
        source=SOURCES[threshold.source],
        otherwise=gettext("Waits for {needs}").format(needs=needs)
        if said.reviews
        else gettext("Runs by itself above the threshold"),
    )


def _rules(
    tools: Sequence[ToolFacts], published: PublishedPolicy, called: Names
) -> Iterator[AgentRule]:
    for rule in published.rules_by_name:
        about = [facts.title for facts in tools if may_speak(rule, facts, published.policy)]
        if about:
            yield AgentRule(
                title=rule.title or rule.name,
                effect=rule.effect,
                when=gettext("When {when}").format(when=when_sentence(rule.when, called)),
                condition=rule.when.condition or "",
                outcome=rule_outcome(rule, called),
                tools=() if rule.when.tools else about,
            )
