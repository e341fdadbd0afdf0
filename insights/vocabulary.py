"""The words of insights: how a run turned out, why it failed, how a call was settled. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from audit.wordings import Words


class Result(StrEnum):
    """How a run that ended turned out."""

    SUCCESS = "success"
    CORRECTED = "corrected"
    """It gave an answer, and a person corrected it, or what it did was undone or came back."""
    ABSTAINED = "abstained"
    STOPPED = "stopped"
    FAILED = "failed"


class Failure(StrEnum):
    """Why a run did not succeed. Code assigns one from the journal; a person may correct it."""

    WRONG_ANSWER = "wrong_answer"
    UNDONE = "undone"
    BOUNCED = "bounced"
    ABSTAINED = "abstained"
    LIMIT = "limit"
    LOOP = "loop"
    UNUSABLE_REPLIES = "unusable_replies"
    CONTEXT_FULL = "context_full"
    MODEL = "model"
    WORKFLOW = "workflow"
    DEPLOY = "deploy"
    CRASH = "crash"
    IN_DOUBT = "in_doubt"
    REFUSED = "refused"
    DENIED = "denied"
    NO_DECISION = "no_decision"
    TOOL_ERROR = "tool_error"
    CANCELLED = "cancelled"
    OTHER = "other"


class How(StrEnum):
    """How a call that an agent proposed was settled."""

    AUTO = "auto"
    APPROVED = "approved"
    EDITED = "edited"
    SENT_BACK = "sent_back"
    REJECTED = "rejected"
    STOPPED = "stopped"
    EXPIRED = "expired"
    DENIED = "denied"


class Measure(StrEnum):
    """What a figure of the roll-ups counts; its key says of what kind."""

    STARTED = "started"
    """Runs that began; no key."""
    RESULT = "result"
    """Runs that ended, by `Result`; the total is what they cost."""
    BAND = "band"
    """The same by complexity: `4-6 success`, `4-6 other`."""
    FAILURE = "failure"
    """Runs that did not succeed, by `Failure`."""
    RETRIED = "retried"
    """Runs in which a call was made again; the total counts the attempts."""
    INTERVENED = "intervened"
    """Runs in which a person intervened; the total is the milliseconds until they first did."""
    RESOLVED = "resolved"
    """Runs that ended, by the bucket of how long it took; the total is milliseconds."""
    WORKED = "worked"
    """The same without waiting for people."""
    UNPRICED = "unpriced"
    """Runs with model calls that have no price; the total counts those calls."""
    PROVISIONAL = "provisional"
    """Runs that count as a success as long as nobody corrects what they did."""
    CALL = "call"
    """Calls by `How`; of a tool."""
    ERROR = "error"
    """Failed calls by their problem; of a tool."""
    ARGUMENT = "argument"
    """Calls whose arguments did not fit, by the argument; of a tool."""
    DECIDED = "decided"
    """Requests that were closed, by how; of a tool."""
    DEADLINE = "deadline"
    """Requests with a deadline that were closed: `met` or `missed`."""
    TO_DECIDE = "to_decide"
    """Requests that people decided, by the bucket of how long it took; the total is milliseconds."""
    TO_LOOK = "to_look"
    """Requests that somebody opened, by the bucket of how long it took; the total is milliseconds."""


class Span(StrEnum):
    """How much time a figure of the roll-ups sums."""

    DAY = "d"
    MONTH = "m"


class AlertKind(StrEnum):
    """What the owners of an agent are alerted of."""

    FAILURES = "failures"
    COST = "cost"
    """What a run costs, beside the days before."""
    COST_OF_SUCCESS = "cost_of_success"
    MODEL = "model"
    """Another model answers behind the name of one that it asks."""


RESULT_WORDS: Final = Words(
    {
        Result.SUCCESS: "Succeeded",
        Result.CORRECTED: "Corrected afterwards",
        Result.ABSTAINED: "Did not know",
        Result.STOPPED: "Stopped",
        Result.FAILED: "Failed",
    }
)
FAILURE_WORDS: Final = Words(
    {
        Failure.WRONG_ANSWER: "Answer corrected by a person",
        Failure.UNDONE: "What it did was undone",
        Failure.BOUNCED: "What it sent came back",
        Failure.ABSTAINED: "Said that it does not know",
        Failure.LIMIT: "Stopped at a limit",
        Failure.LOOP: "Went round in circles",
        Failure.UNUSABLE_REPLIES: "No usable reply of its model",
        Failure.CONTEXT_FULL: "Too much for its model",
        Failure.MODEL: "Its model could not be used",
        Failure.WORKFLOW: "A state of its workflow failed",
        Failure.DEPLOY: "Its definition changed under it",
        Failure.CRASH: "Its workers died again and again",
        Failure.IN_DOUBT: "Whether an effect happened was not known",
        Failure.REFUSED: "People refused what it proposed",
        Failure.DENIED: "The policy denied what it proposed",
        Failure.NO_DECISION: "Nobody decided in time",
        Failure.TOOL_ERROR: "A tool failed",
        Failure.CANCELLED: "Cancelled",
        Failure.OTHER: "Something else",
    }
)
HOW_WORDS: Final = Words(
    {
        How.AUTO: "Ran without a person",
        How.APPROVED: "Approved as proposed",
        How.EDITED: "Approved with a change",
        How.SENT_BACK: "Sent back",
        How.REJECTED: "Rejected",
        How.STOPPED: "Rejected, and the run ended",
        How.EXPIRED: "Not decided in time",
        How.DENIED: "Denied by the policy",
    }
)
#: Bands of complexity by how many steps a run took: the first number of each.
BANDS: Final = {1: "1-3", 4: "4-6", 7: "7-10", 11: "11-20", 21: "21+"}


def band_words(band: str) -> str:
    """A band as it is read: `1–3`. Its name, in addresses and in files, has a hyphen that anybody can type."""
    return band.replace("-", "–")


def band_of(steps: int) -> str:
    """The band that a run of so many steps belongs to."""
    return BANDS[max((first for first in BANDS if first <= steps), default=1)]


#: As `agents.definitions.Category`, short.
CATEGORY_WORDS: Final = Words({"workflow": "Workflow", "bounded": "Bounded", "open": "Open"})
