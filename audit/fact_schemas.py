"""The facts of each kind of event: codes, counts, ids and moments, never personal data or free text."""

import datetime as dt
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from audit.schemas import BasisPoints, Code, Count, Sha256


def moment_text(moment: dt.datetime) -> str:
    """A moment as events write it: UTC, microseconds, `Z`."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Id = Annotated[
    Code, BeforeValidator(lambda value: str(value) if isinstance(value, UUID | int) else value)
]
Moment = Annotated[AwareDatetime, PlainSerializer(moment_text, return_type=str)]
Codes = Annotated[
    list[Code],
    Field(max_length=200),
    BeforeValidator(lambda value: list(value) if isinstance(value, tuple) else value),
]


class Facts(BaseModel):
    """No facts at all; the base of those that have some."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RunFacts(Facts):
    """Where a run stands. `why` is what moved it, `kind` the kind of request it waits for, `requests` how
    many were opened or set aside."""

    step: Count | None = None
    epoch: Count | None = None
    wake_seq: Count | None = None
    why: Code | None = None
    kind: Code | None = None
    parent: Id | None = None
    depth: Count | None = None
    requests: Count | None = None
    wake_at: Moment | None = None


class RunVersionChanged(RunFacts):
    """A run goes on with another version of its agent. Both are digests of definitions."""

    from_version: Sha256
    to_version: Sha256


class MemoryDeleted(Facts):
    """What an agent wrote down was deleted: its id, and how many rows went with it."""

    memory: Id
    removed: Count


class RunDelegated(RunFacts):
    """A run started a run of another agent: its id, and that agent's slug."""

    child: Id
    to: Code


class RunEnded(RunFacts):
    """How a run ended and what it used."""

    state: Code | None = None
    failure: Code | None = None
    steps: Count | None = None
    model_calls: Count | None = None
    tool_calls: Count | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    cost_micros: Count | None = None


class ModelCalled(RunFacts):
    """A model call in counts: never its text."""

    model: Code | None = None
    served_model: Code | None = None
    endpoint: Code | None = None
    status: Code | None = None
    finish_reason: Code | None = None
    attempts: Count | None = None
    calls: Count | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    tokens_cached: Count | None = None
    cost_micros: Count | None = None
    latency_ms: Count | None = None


class ModelChanged(Facts):
    """Another model answered under the same name; `changes` is the number of names seen before. What the
    names are stands on the agent's page: a server writes them, and they are no codes of ours."""

    changes: Count


class ActionFacts(RunFacts):
    """A proposed tool call and what the gate went by."""

    tool_version: Code | None = None
    effect_class: Code | None = None
    effects: Codes | None = None
    reversible: bool | None = None
    threshold_bp: BasisPoints | None = None
    score_source: Code | None = None
    tainted: bool | None = None
    reasons: Codes | None = None


class RequestFacts(Facts):
    """An approval request at one revision."""

    kind: Code | None = None
    revision: Count | None = None
    step: Count | None = None
    why: Code | None = None
    group: Code | None = None
    groups: Codes | None = None
    reasons: Codes | None = None
    threshold_bp: BasisPoints | None = None
    tainted: bool | None = None
    review_deadline: Moment | None = None
    execute_by: Moment | None = None
    ready_at: Moment | None = None


class RequestClaimed(RequestFacts):
    """A lease on a request, in seconds; `taken_from` is the person who held it before."""

    lease_seconds: Count | None = None
    taken_from: Id | None = None


class RequestVoted(RequestFacts):
    """One person's verdict, and how many of the needed ones there are now. `on_behalf_of` are the people
    whose membership let them decide; `together` says to how many requests it was given at once. Where a second
    factor was asked for: which was used, and how many seconds before."""

    vote: Id | None = None
    verdict: Code | None = None
    given: Count | None = None
    needed: Count | None = None
    material: bool | None = None
    score_visible: bool | None = None
    open_seconds: Count | None = None
    active_seconds: Count | None = None
    on_behalf_of: Codes | None = None
    second_factor: Code | None = None
    second_factor_age_seconds: Count | None = None
    together: Count | None = None


class RequestEdited(RequestVoted):
    """Arguments that a person changed: which fields, never their values."""

    from_revision: Count | None = None
    fields: Codes | None = None


class RequestDecided(RequestVoted):
    """The request left `pending` by a person's verdict."""

    state: Code | None = None
    undo_seconds: Count | None = None


class RequestSuperseded(RequestFacts):
    """Another request, if there is one yet, takes its place."""

    superseded_by: Id | None = None


class RequestExtended(RequestFacts):
    """The deadline moved."""

    from_deadline: Moment | None = None
    seconds: Count | None = None


class RequestEscalated(RequestExtended):
    """The next group of the chain was asked: which one of the chain, and who in it."""

    level: Count | None = None
    asked: Codes | None = None


class RequestReminded(RequestFacts):
    """Half of the time is over; `asked` are the people who could still decide."""

    asked: Codes | None = None


class RequestSnoozed(RequestFacts):
    """A person's own lists leave the request out until then."""

    until: Moment | None = None


class RequestCommented(RequestFacts):
    """A comment; its text is a disclosure."""

    comment: Id | None = None


class EffectFacts(RunFacts):
    """One effect in the world: its id, idempotency key and class; whether it was read back and found."""

    effect: Id | None = None
    effect_class: Code | None = None
    key: Code | None = None
    revision: Count | None = None
    attempt: Count | None = None
    state: Code | None = None
    error: Code | None = None
    verified: bool | None = None
    provider: Code | None = None
    callback: Code | None = None
    latency_ms: Count | None = None


class ApprovalLapsed(RequestFacts):
    """An approval that was not used in time, or may no longer be used."""

    effect: Id | None = None
    error: Code | None = None


class StickyFacts(RequestFacts):
    """A sticky approval by id, and which arguments it keeps; their values are the request's own."""

    sticky: Id | None = None
    expires_at: Moment | None = None
    kept: Codes | None = None


class PolicyFacts(Facts):
    """A draft or a published policy version; `alone`: who published it had written in it."""

    draft: Id | None = None
    base_version: Count | None = None
    edition: Count | None = None
    changes: Count | None = None
    group: Code | None = None
    restores: Count | None = None
    tightens_only: bool | None = None
    second_waived: bool | None = None
    alone: bool | None = None


class ReasonChipFacts(Facts):
    """A reason chip by its code, and what it is offered for; its label is a disclosure. `place` counts from 1."""

    chip: Code
    verdicts: Codes | None = None
    place: Count | None = None


class AgentFacts(Facts):
    """A hosted agent; its version's digest stands in the event's `agent`."""

    category: Code | None = None
    owner: Code | None = None
    tools: Codes | None = None
    previous_version: Code | None = None
    why: Code | None = None
    scope: Code | None = None


class LimitFacts(Facts):
    """What an agent may use from now on: caps of a run, and what it may spend in a day and a month of UTC.

    What is left out is as the agent declares it, or has no limit. Money in millionths of the currency unit.
    """

    steps: Count | None = None
    model_calls: Count | None = None
    tool_calls: Count | None = None
    tokens: Count | None = None
    cost_micros: Count | None = None
    active_seconds: Count | None = None
    errors: Count | None = None
    depth: Count | None = None
    children: Count | None = None
    extend_times: Count | None = None
    over_percent: Count | None = None
    day_cost_micros: Count | None = None
    day_tokens: Count | None = None
    month_cost_micros: Count | None = None
    month_tokens: Count | None = None


class BudgetFacts(Facts):
    """So many percent of what an agent may spend in a day or month of UTC (`span`) are spent: `cost_micros`
    or `tokens`, as `measure` says."""

    span: Code
    measure: Code
    percent: Count
    used: Count
    limit: Count


class SwitchFacts(Facts):
    """A kill switch by id, and what it holds."""

    switch: Id | None = None
    scope: Code | None = None
    tool: Code | None = None


class PriceFacts(Facts):
    """What a million tokens of a model cost from a moment on, in millionths of the currency unit."""

    model: Code
    input_micros: Count
    cached_micros: Count
    output_micros: Count
    holds_from: Moment


class BreakerFacts(Facts):
    """A tool that failed so many times in a row, and until when it is left alone."""

    failures: Count | None = None
    open_until: Moment | None = None


class SessionFacts(Facts):
    """How somebody came in or went."""

    method: Code | None = None
    why: Code | None = None


class PersonFacts(Facts):
    """A person by id; never by name."""

    person: Id
    added: Codes | None = None
    removed: Codes | None = None


class FactorFacts(Facts):
    """A second factor of a person by id: its kind, what it was used for, how many recovery codes are left,
    how many factors an admin removed, whether codes are refused for a while now."""

    person: Id | None = None
    factor: Id | None = None
    method: Code | None = None
    purpose: Code | None = None
    left: Count | None = None
    removed: Count | None = None
    closed: bool | None = None


class GroupFacts(Facts):
    """A person in a review group."""

    person: Id
    group: Code


class AbsenceFacts(Facts):
    """Somebody is out of office and named who stands in."""

    absence: Id
    person: Id
    stand_in: Id
    starts_at: Moment | None = None
    ends_at: Moment | None = None


class CalendarFacts(Facts):
    """A working calendar by its slug, and the digest of what it says."""

    calendar: Code
    sha256: Sha256 | None = None
    from_sha256: Sha256 | None = None


class ReviewGroupFacts(Facts):
    """A review group by its slug."""

    group: Code


class TokenFacts(Facts):
    """An API token by id, and what it may do."""

    token: Id
    scopes: Codes | None = None


class ExportFacts(Facts):
    """An export of events: by which conditions it was chosen and what it held; their values are a disclosure.

    `with_disclosures` and `with_sensitive` say what may be in it beside events, `disclosures` how many are,
    `size` how much of the log its checkpoint covers."""

    export: Id
    format: Code
    filtered_by: Codes | None = None
    with_disclosures: bool | None = None
    with_sensitive: bool | None = None
    events: Count | None = None
    disclosures: Count | None = None
    size: Count | None = None
    sha256: Sha256 | None = None


class SampleFacts(Facts):
    """A random sample: what anybody needs to draw it again. The population was inserted before `until`."""

    sample: Id
    seed: Code
    size: Count
    population: Count
    until: Moment
    filtered_by: Codes | None = None


class HoldFacts(Facts):
    """A legal hold and what it covers; its matter and reason are disclosures."""

    hold: Id
    scope: Code
    target: Id | None = None
    since: Moment | None = None
    until: Moment | None = None


class RetentionFacts(Facts):
    """A month whose bodies were dropped: how many there were, and the digest over their leaf hashes."""

    partition: Code
    since: Moment
    until: Moment
    events: Count
    leaves_sha256: Sha256


class AccessRefused(Facts):
    """Somebody asked for what they may not have."""

    permission: Code | None = None
    scope: Code | None = None
    door: Code | None = None
    method: Code | None = None


class DecisionRefused(RequestFacts):
    """A verdict that did not count."""

    verdict: Code | None = None
    state: Code | None = None


class DisclosureFacts(Facts):
    """Disclosures of an event that were read, by their names; or of a subject, to be erased, and who asked."""

    event: Id | None = None
    names: Codes | None = None
    subject: Code | None = None
    disclosures: Count | None = None
    erasure: Id | None = None
    proposed_by: Id | None = None


class VerificationFacts(Facts):
    """A check of the whole log: what it looked at, how much of that is sealed, and how many things do not fit."""

    verification: Id
    events: Count | None = None
    size: Count | None = None
    found: Count | None = None


class SinkFacts(Facts):
    """A sink that sealed events are sent to: the place in the log that it gets next, and before it was moved,
    and why nothing reaches it."""

    sink: Code
    kind: Code | None = None
    format: Code | None = None
    index: Count
    from_index: Count | None = None
    why: Code | None = None


class WitnessFacts(Facts):
    """A witness, the size of the log that it has cosigned last, and why it cosigns no more."""

    witness: Code
    size: Count
    why: Code | None = None


class LogFacts(Facts):
    """The log itself: its name, its size then, the key that it speaks of, the log before it and its last
    checkpoint, and why it halted."""

    origin: Code | None = None
    size: Count | None = None
    key: Code | None = None
    why: Code | None = None
    former: Code | None = None
    former_size: Count | None = None
    former_sha256: Sha256 | None = None
