"""A model that plays agent, verifier and sampler for the tests of scores, and policies that ask for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from approvals.policies import load
from approvals.services.policies import current
from approvals.services.publish import publish
from tests.agents.conftest import TEST
from tests.model_server import Answer, final, says

ALLOWED = {
    "name": "payments",
    "title": "Payments",
    "when": {"agents": ["teller"], "tools": ["pay"]},
    "effect": "allow",
    "threshold": "0.80",
    "accepts_taint": True,
}


def score_by(choice: dict[str, Any], *, tool: str = "pay", **more: Any) -> None:
    """Publish that this choice scores the tool, whose calls a rule allows above 0.80."""
    published = current()
    document = published.policy.document()
    document["scores"] = {"tools": {tool: choice}}
    if not document["rules"]:
        document["rules"] = [ALLOWED]
    document |= more
    publish(document=load(document), base_version=published.version, caller=TEST, why="For a test.")


def review(score: Any, *objections: str) -> Answer:
    """What a verifier answers."""
    return says(json.dumps({"score": score, "objections": list(objections)}))


@dataclass
class Cast:
    """Answers by who is asked: the agent's turns in order, the verifier's reviews, further samples."""

    turns: Sequence[Answer]
    reviews: Sequence[Answer] = ()
    samples: Sequence[Answer] = ()
    asked: list[str] = field(default_factory=list)
    also: Callable[[], object] | None = None

    def __call__(self, request: dict[str, Any]) -> Answer:
        who = (
            "verifier"
            if "response_format" in request
            else "sample"
            if "seed" in request
            else "agent"
        )
        place = self.asked.count(who)
        self.asked.append(who)
        if self.also is not None:
            self.also()
        answers = {"verifier": self.reviews, "sample": self.samples, "agent": self.turns}[who]
        return answers[place] if place < len(answers) else final(summary="ok")
