"""What an event may refer to, typed. Everything here is non-personal by construction.

Names, addresses and free text never stand in an event's body: they enter as `Disclose`, which leaves
only a salted digest in the body (RFC 9901).
"""

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass

LONGEST_CHALLENGE = 200
CODE_PATTERN = r"^[A-Za-z0-9_.:/@+\-]{1,200}$"
Code = Annotated[str, StringConstraints(pattern=CODE_PATTERN)]
"""A word of a program's vocabulary: a slug, a tool's name, a rule's name, a reason code."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
Count = Annotated[int, Field(ge=0, lt=2**53)]

_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, config=_STRICT)
class AgentRef:
    """The agent, its version's digest and its run."""

    slug: Code
    version: Code | None = None
    run: UUID | None = None


@dataclass(frozen=True, config=_STRICT)
class ActionRef:
    """The proposed tool call: never its arguments, which enter as the disclosure `args_sha256`."""

    tool: Code
    risk: Code | None = None
    confidence_bp: BasisPoints | None = None


@dataclass(frozen=True, config=_STRICT)
class PolicyRef:
    """The policy version that was applied or published, its digest and the rule that spoke."""

    version: Count
    sha256: Sha256 | None = None
    rule: Code | None = None


@dataclass(frozen=True, config=_STRICT)
class Outcome:
    """What came of it: the decision, what the deciding person's act means, and why, as codes."""

    decision: Code | None = None
    meaning: Code | None = None
    reason_code: Code | None = None


@plain_dataclass(frozen=True)
class Disclose:
    """A value bound into the event by a salted digest and kept apart, erasable.

    For anything personal, free text, and digests of short content (`args_sha256`, `shown_sha256`).
    `subject` says whose data it is, such as `person:7` or `request:<uuid>`: erasing a subject erases
    all its disclosures. `value` is any JSON value.
    """

    name: str
    value: Any
    subject: str
