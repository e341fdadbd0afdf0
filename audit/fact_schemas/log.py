"""Facts of the log itself: exports, samples, holds, erasures, retention, checks, keys."""

from audit.fact_schemas.base import Codes, Facts, Id, Moment
from audit.schemas import Code, Count, Sha256


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
