"""The words of approvals: risks, effects, kinds of request, verdicts, outcomes of the gate."""

from __future__ import annotations

from enum import StrEnum


class Risk(StrEnum):
    """How bad a wrong call would be. Ordered: `Risk.LOW < Risk.CRITICAL`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low up to 3 for critical."""
        return _RANKS[self.value]

    # A StrEnum would compare by the alphabet, in which "critical" is the smallest.
    def __lt__(self, other: object) -> bool:
        return self.rank < Risk(other).rank if isinstance(other, str) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.rank <= Risk(other).rank if isinstance(other, str) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.rank > Risk(other).rank if isinstance(other, str) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.rank >= Risk(other).rank if isinstance(other, str) else NotImplemented


_RANKS = {"low": 0, "medium": 1, "high": 2, "critical": 3}


class Effect(StrEnum):
    """What a call touches outside the run."""

    MONEY = "money"
    PRODUCTION = "production"
    DESTRUCTIVE = "destructive"
    EXTERNAL_COMMUNICATION = "external_communication"
    PERSONAL_DATA = "personal_data"
    CREDENTIALS = "credentials"


class Kind(StrEnum):
    """What a request asks of people."""

    ACTION = "action"
    QUESTION = "question"
    BUDGET = "budget"
    IN_DOUBT = "in_doubt"
    RESULT = "result"
    ATTENTION = "attention"
    HAND_BACK = "hand_back"


#: Kinds that wait for a person however long it takes; they may escalate and never expire.
NEVER_EXPIRE = frozenset({Kind.IN_DOUBT, Kind.ATTENTION, Kind.RESULT, Kind.HAND_BACK})

#: Kinds that their initiator may settle: who is asked, and who took a run over.
INITIATOR_MAY = frozenset({Kind.QUESTION, Kind.HAND_BACK})


class Verdict(StrEnum):
    """What a person says about a request; `states.VERDICTS` lists which kind takes which."""

    APPROVE = "approve"
    EDIT = "edit"
    SEND_BACK = "send_back"
    REJECT = "reject"
    STOP = "stop"
    ANSWER = "answer"
    EXTEND = "extend"
    HAPPENED = "happened"
    DID_NOT = "did_not"
    COMPENSATE = "compensate"
    ACCEPT = "accept"
    CORRECT = "correct"
    CONTINUE = "continue"
    CHANGE = "change"
    RETURN = "return"


#: Verdicts that a reason chip can be offered for.
GIVES_REASON = (Verdict.REJECT, Verdict.SEND_BACK, Verdict.EDIT, Verdict.STOP)


class GateOutcome(StrEnum):
    """What the gate says about an action."""

    ALLOW = "allow"
    REVIEW = "review"
    DENY = "deny"


class Friction(StrEnum):
    """What a request asks of the reviewer besides the verdict; the later, the stronger."""

    NONE = "none"
    READING = "reading"
    TYPED = "typed"
    SECOND_FACTOR = "second_factor"

    @property
    def rank(self) -> int:
        """0 for none up to 3 for a second factor."""
        return list(Friction).index(self)


class Expiry(StrEnum):
    """What happens when nobody decided in time. Never an approval."""

    REJECT = "reject"
    ESCALATE = "escalate"


def is_consequential(risk: Risk, effects: frozenset[Effect]) -> bool:
    """Medium risk and above, or any effect."""
    return risk >= Risk.MEDIUM or bool(effects)
