"""What a replay of a run says of its steps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from agents.models import Run
from agents.version_diff import Change
from audit.wordings import Words


class Against(StrEnum):
    """With which agent a run is replayed."""

    INSTALLED = "installed"
    """As it is installed now, for all steps."""
    RECORDED = "recorded"
    """As the version was declared that each step was made under, with the code of now."""


class Result(StrEnum):
    SAME = "same"
    DIFFERS = "differs"
    CANNOT = "cannot_be_rebuilt"


VERDICTS: Final = Words({"allow": "allowed", "review": "to be reviewed", "deny": "denied"})


@dataclass(frozen=True)
class Verdict:
    """The gate's word on a call, then and by the policy of now, told the same facts. `why`: there is none now."""

    then: str
    now: str
    policy_then: int
    policy_now: int
    why: str = ""

    @property
    def same(self) -> bool:
        """Whether it is the word of then."""
        return self.then == self.now

    @property
    def then_words(self) -> str:
        """For people."""
        return VERDICTS.get(self.then, "")

    @property
    def now_words(self) -> str:
        """For people."""
        return VERDICTS.get(self.now, "")


@dataclass(frozen=True)
class Replayed:
    """One step made anew. `why`: it could not be, or what is not shown of it. `reading`: how a call would be read
    now, where that is not as it was; `digests`: of the request as it was sent and as it is now; `verdict`: of a call
    that was judged."""

    seq: int
    kind: str
    name: str
    result: Result | None = None
    why: str = ""
    changes: Sequence[Change] = ()
    digests: tuple[str, str] = ("", "")
    reading: str = ""
    verdict: Verdict | None = None

    def as_json(self) -> dict[str, Any]:
        """As the API tells it."""
        verdict = self.verdict
        return {
            "seq": self.seq,
            "kind": self.kind,
            "name": self.name,
            "result": self.result,
            "why": self.why or None,
            "recorded_sha256": self.digests[0] or None,
            "rebuilt_sha256": self.digests[1] or None,
            "changes": [change.as_json() for change in self.changes],
            "reading": self.reading or None,
            "verdict": verdict
            and {
                "then": verdict.then,
                "now": verdict.now or None,
                "policy_then": verdict.policy_then,
                "policy_now": verdict.policy_now or None,
                "why": verdict.why or None,
            },
        }


@dataclass(frozen=True)
class Replay:
    """Some steps of a run made anew, in order. `after`: the seq to go on after, None where these were the last.
    `installed`: the digest of the installed version, empty where the agent is gone."""

    run: Run
    against: Against
    installed: str
    steps: Sequence[Replayed] = ()
    after: int | None = None

    def count(self, result: Result) -> int:
        """How many of these steps came to that."""
        return sum(step.result == result for step in self.steps)

    @property
    def same(self) -> bool:
        """Whether everything that was made anew is as it was."""
        return all(step.result in (None, Result.SAME) for step in self.steps)

    @property
    def first(self) -> Replayed | None:
        """The first step that is not as it was."""
        return next((s for s in self.steps if s.result not in (None, Result.SAME)), None)
