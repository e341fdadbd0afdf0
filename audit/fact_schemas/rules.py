"""Facts of what is set up: policies, calendars, agents and their limits, prices, switches."""

from audit.fact_schemas.base import Codes, Facts, Id, Moment
from audit.schemas import Code, Count, Sha256


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


class AlertFacts(Facts):
    """The owner group of an agent was alerted: of what, on which day of UTC, over how many runs, how much it was
    and how much may be: percent, or millionths of the currency unit."""

    alert: Code
    day: Code
    used: Count
    allowed: Count
    runs: Count


class AlertsSet(Facts):
    """From when on the owner group of an agent is alerted; what is left out is as the settings say, 0 is never."""

    failure_percent: Count | None = None
    cost_micros: Count | None = None
    cost_percent: Count | None = None


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


class CalendarFacts(Facts):
    """A working calendar by its slug, and the digest of what it says."""

    calendar: Code
    sha256: Sha256 | None = None
    from_sha256: Sha256 | None = None
