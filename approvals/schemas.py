"""The shapes that pass the gate and the inbox. Frozen; unknown fields are refused. Pure."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from approvals.vocabulary import (
    Effect,
    Expiry,
    Friction,
    GateOutcome,
    Kind,
    Risk,
    Verdict,
    is_consequential,
)

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
#: How long a second factor stays good where requirements do not say.
SECOND_FACTOR_SECONDS = 900
#: Characters that a text of a preview may have: who decides reads it whole.
MOST_TEXT = 100_000
ReasonCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
#: Slug of a working calendar; empty counts around the clock.
CalendarName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9-]{0,63})?$")]


class Shape(BaseModel):
    """Base of all shapes here."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(Shape):
    """One line of a preview."""

    label: str
    value: str


class Cell(Shape):
    """One column of a row before and after; None where there was or is no value."""

    column: str
    before: str | None = None
    after: str | None = None


class RowChange(Shape):
    """One row of a table that would change, with its cells in the table's order. `title` names the row."""

    title: str
    what: Literal["added", "changed", "deleted"]
    cells: tuple[Cell, ...] = ()


class Message(Shape):
    """A message that would go out. `html` is shown in a frame that runs and loads nothing, with `text` beside it
    where there are both; what neither holds is not sent."""

    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    subject: str = ""
    text: Annotated[str, Field(max_length=MOST_TEXT)] = ""
    html: Annotated[str, Field(max_length=MOST_TEXT)] = ""


class TextChange(Shape):
    """A text before and after, shown line by line. `label` says what it is."""

    label: str
    before: Annotated[str, Field(max_length=MOST_TEXT)]
    after: Annotated[str, Field(max_length=MOST_TEXT)]


class Link(Shape):
    """Where to look. The address is always written out beside the label."""

    label: str
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2_000)]


class Preview(Shape):
    """What would happen, for people. `title` is a sentence that names the subject. A tool gives data, and pages
    draw it: `message` as it would arrive, `texts` line by line, `rows` of a table before and after, `links`."""

    title: str
    summary: str = ""
    subject: str = ""
    facts: tuple[Fact, ...] = ()
    warnings: tuple[str, ...] = ()
    # Left out where there are none: processes of an earlier release read previews too.
    rows: tuple[RowChange, ...] = Field(default=(), exclude_if=lambda rows: not rows)
    message: Message | None = Field(default=None, exclude_if=lambda message: message is None)
    texts: tuple[TextChange, ...] = Field(default=(), exclude_if=lambda texts: not texts)
    links: tuple[Link, ...] = Field(default=(), exclude_if=lambda links: not links)


class ProposedAction(Shape):
    """A proposed tool call with validated arguments, as the gate sees it.

    `known` is False when the agent does not have the tool: such a call is denied. Decimals travel
    as strings in `arguments`; conditions see them as numbers when `argument_schema` (JSON Schema)
    says so or `numbers` maps their dotted path (`"amount"`, `"lines.0.price"`) to the value.
    `identity` names the thing acted on (for the audit coin); empty means all arguments.
    """

    agent: str
    agent_version: str
    agent_title: str = ""
    owner_group: str | None = None
    tool: str
    tool_version: str
    arguments: dict[str, Any]
    digest: Digest
    risk: Risk
    effects: frozenset[Effect] = frozenset()
    reversible: bool = True
    known: bool = True
    preview: Preview | None = None
    argument_schema: dict[str, Any] | None = None
    numbers: dict[str, Decimal] = Field(default_factory=dict)
    identity: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_consequential(self) -> bool:
        """Medium risk and above, or any effect."""
        return is_consequential(self.risk, self.effects)


class ScoreNote(Shape):
    """How one score came about, or why there is none (`problem`, a code).

    `version` names the formula. `samples` and `agreeing` count replies, `tokens` those that were
    weighed. `objections` are a model's words: unverified.
    """

    version: str = "1"
    problem: str = ""
    model: str = ""
    samples: int | None = None
    agreeing: int | None = None
    tokens: int | None = None
    objections: tuple[str, ...] = ()


class Confidence(Shape):
    """How sure the agent was, in basis points (0 to 10,000), and where that came from.

    `source` is the score that decides. `signals` holds every score there is by its source, whether
    or not it decided anything, and `notes` how each came about. `declared` is the score of a call that
    code proposes and no model had a part in; it stands for the model's own word, and for no other score.
    """

    raw_bp: BasisPoints | None = None
    source: Literal[
        "self_reported", "declared", "log_probability", "agreement", "verifier", "none"
    ] = "none"
    version: str = "1"
    calibrated_bp: BasisPoints | None = None
    signals: dict[str, BasisPoints] = Field(default_factory=dict)
    notes: dict[str, ScoreNote] = Field(default_factory=dict)

    def decided_by(self, source: str) -> Confidence:
        """The same scores with this one deciding; one that is not there leaves no usable confidence."""
        if source == "self_reported" and "declared" in self.signals:
            source = "declared"
        if source == self.source:
            return self
        if source == "self_reported" and self.source == "none" and source not in self.signals:
            return self
        note = self.notes.get(source)
        return self.model_copy(
            update={
                "raw_bp": self.signals.get(source),
                "source": source,
                "version": note.version if note else "1",
                "calibrated_bp": None,
            }
        )

    @property
    def is_usable(self) -> bool:
        """Whether there is a score that can be compared."""
        return self.calibrated_bp is not None or self.raw_bp is not None

    @property
    def value_bp(self) -> int:
        """What is compared with the threshold: calibrated, else raw, else zero."""
        if self.calibrated_bp is not None:
            return self.calibrated_bp
        return self.raw_bp if self.raw_bp is not None else 0


class GateContext(Shape):
    """What else the gate looks at. Stored with the request, so that a later re-check judges the
    same facts (rates and first uses do not flip).

    `calls_last_hour` counts this agent's calls of this tool; `earlier` lists the tools this run
    has called; `stopped` is the sentence of a kill switch that holds. `at` is the database's time.
    """

    at: datetime
    tainted: bool = False
    tainted_by: tuple[str, ...] = ()
    first_use: bool = False
    calls_last_hour: int = Field(default=0, ge=0)
    budget_used_bp: int = Field(default=0, ge=0)
    initiator: int | None = None
    earlier: tuple[str, ...] = ()
    stopped: str | None = None


class Reason(Shape):
    """Why, as data; `reasons.sentence` renders it."""

    code: str
    params: dict[str, Any] = Field(default_factory=dict)


class GroupNeed(Shape):
    """So many people from this review group. `@owner` stands for the agent's owner group."""

    group: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    count: int = Field(default=1, ge=1, le=20)


class Requirements(Shape):
    """What a request asks for before its action may run.

    The initiator never counts; `exclude_owner` also leaves out the agent's owner group.
    `friction_seconds` is the minimum reading time, or how long a second factor stays good.
    `execute_by_minutes` counts from the end of the undo time. `review_hours` are hours of the working
    calendar `calendar` (empty: around the clock). These two and `undo_seconds` left out are those of the
    policy; the gate's verdict always has them filled in.
    """

    groups: tuple[GroupNeed, ...] = (GroupNeed(group="@owner"),)
    exclude_owner: bool = False
    editor_may_approve: bool = False
    friction: Friction = Friction.NONE
    friction_seconds: int = Field(default=0, ge=0, le=86_400)
    review_hours: float | None = Field(default=None, gt=0, le=24 * 90)
    calendar: CalendarName | None = None
    extend_limit_hours: int = Field(default=72, ge=0, le=24 * 90)
    on_expiry: Expiry = Expiry.REJECT
    escalation: tuple[str, ...] = ()
    reminder: bool = True
    execute_by_minutes: float | None = Field(default=None, gt=0, le=60 * 24 * 90)
    undo_seconds: float | None = Field(default=None, ge=0, le=60)

    @property
    def second_factor_seconds(self) -> int:
        """How long a confirmation with a second factor stays good, where one is asked for."""
        return self.friction_seconds or SECOND_FACTOR_SECONDS

    @property
    def people(self) -> int:
        """How many different people it takes."""
        return sum(need.count for need in self.groups)

    def plus(self, other: Requirements) -> Requirements:
        """Both at once: what satisfies the sum satisfies each."""
        counts: dict[str, int] = {}
        for need in (*self.groups, *other.groups):
            counts[need.group] = max(need.count, counts.get(need.group, 0))
        strongest = max((self, other), key=lambda r: (r.friction.rank, r.friction_seconds))
        if self.friction == other.friction == Friction.SECOND_FACTOR:
            # A second factor that must be fresher is the stronger one.
            strongest = min((self, other), key=lambda r: r.second_factor_seconds)
        soonest = min((self, other), key=Requirements._soonness)
        escalates = self.on_expiry == other.on_expiry == Expiry.ESCALATE
        return Requirements(
            groups=tuple(GroupNeed(group=g, count=n) for g, n in sorted(counts.items())),
            exclude_owner=self.exclude_owner or other.exclude_owner,
            editor_may_approve=self.editor_may_approve and other.editor_may_approve,
            friction=strongest.friction,
            friction_seconds=strongest.friction_seconds,
            review_hours=soonest.review_hours,
            calendar=soonest.calendar,
            extend_limit_hours=min(self.extend_limit_hours, other.extend_limit_hours),
            on_expiry=Expiry.ESCALATE if escalates else Expiry.REJECT,
            escalation=tuple(
                group for group in self.escalation if escalates and group in other.escalation
            ),
            reminder=self.reminder or other.reminder,
            execute_by_minutes=_least(self.execute_by_minutes, other.execute_by_minutes),
            undo_seconds=_most(self.undo_seconds, other.undo_seconds),
        )

    def counted_like(self, asked: Requirements) -> Requirements:
        """These with the calendar of what was asked before: a request keeps the one it was opened by."""
        return self.model_copy(update={"calendar": asked.calendar})

    def _soonness(self) -> tuple[float, bool, str]:
        """Orders deadlines without knowing the calendars: fewer hours, one that is named, its name.

        A total order, so that it does not matter in which order requirements are added up.
        """
        hours = self.review_hours if self.review_hours is not None else math.inf
        return hours, self.calendar is None, self.calendar or ""


def _least(*numbers: float | None) -> float | None:
    return min((number for number in numbers if number is not None), default=None)


def _most(*numbers: float | None) -> float | None:
    return max((number for number in numbers if number is not None), default=None)


class GateVerdict(Shape):
    """What the gate said, why, and by which policy.

    `requirements` are set when the outcome is review. `rule` is the rule that decided, empty for
    the baseline. `threshold_bp` is the one that counted.
    """

    outcome: GateOutcome
    reasons: tuple[Reason, ...] = ()
    requirements: Requirements | None = None
    rule: str = ""
    threshold_bp: BasisPoints = 10_000
    confidence_bp: BasisPoints = 0
    policy_version: int = 0
    policy_sha256: str = ""

    @property
    def allowed(self) -> bool:
        """True when the action may run without a person."""
        return self.outcome == GateOutcome.ALLOW

    @property
    def denied(self) -> bool:
        """True when the action must not run at all."""
        return self.outcome == GateOutcome.DENY


class CoinToss(Shape):
    """The secret audit coin of one action: its value in [0, 1) and the rates when it was drawn.

    `is_sample` is True when an action that would have run unseen is reviewed all the same.
    """

    value: float = Field(ge=0, lt=1)
    rate: float = Field(ge=0, le=1)
    propensity: float = Field(ge=0, le=1)
    is_sample: bool = False
    score_visible: bool = True


class Opening(Shape):
    """Everything a new request is made of; the caller holds the transaction and the run's lock.

    Kinds other than action leave `action`, `verdict` and `coin` out, say what they ask in
    `question` (any JSON object; its `schema` is the JSON Schema of the answer) and may name the
    groups that decide in `requirements` (else: one of the owner group). `sensitive` names arguments;
    `withheld` holds values that were sensitive in earlier calls and may be repeated here.
    """

    kind: Kind = Kind.ACTION
    run_id: UUID | None = None
    step_seq: int | None = None
    agent: str
    agent_title: str = ""
    agent_version: str
    owner_group: str | None = None
    initiator: int | None = None
    action: ProposedAction | None = None
    confidence: Confidence = Confidence()
    context: GateContext | None = None
    verdict: GateVerdict | None = None
    coin: CoinToss | None = None
    requirements: Requirements | None = None
    preview: Preview
    route: str = ""
    rationale: str = ""
    evidence: tuple[dict[str, Any], ...] = ()
    question: dict[str, Any] | None = None
    sensitive: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    cosmetic: tuple[str, ...] = ()
    supersedes: UUID | None = None
    effect_id: UUID | None = None


class DecisionIn(Shape):
    """One person's verdict, bound to what they saw.

    `digest` and `shown_sha256` are those of the representation that was read. The same nonce of
    the same person gets the first answer again. `reason_code` names a reason chip; it may stand for
    `reason`, or beside it.
    """

    verdict: Verdict
    revision: int = Field(ge=1)
    digest: Digest
    shown_sha256: Digest
    nonce: Annotated[str, StringConstraints(min_length=8, max_length=100)]
    arguments: dict[str, Any] | None = None
    answer: Any = None
    caps: dict[str, int] | None = None
    result: Any = None
    output: Any = None
    choice: Annotated[str, StringConstraints(max_length=100)] | None = None
    message: Annotated[str, StringConstraints(max_length=5_000)] | None = None
    reason: Annotated[str, StringConstraints(max_length=5_000)] | None = None
    reason_code: ReasonCode | None = None
    typed: Annotated[str, StringConstraints(max_length=500)] | None = None
    active_seconds: int | None = Field(default=None, ge=0, le=86_400)
