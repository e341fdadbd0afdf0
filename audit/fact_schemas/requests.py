"""Facts of requests and what becomes of them."""

from audit.fact_schemas.base import Codes, Facts, Id, Moment
from audit.schemas import BasisPoints, Code, Count


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


class ApprovalLapsed(RequestFacts):
    """An approval that was not used in time, or may no longer be used."""

    effect: Id | None = None
    error: Code | None = None


class StickyFacts(RequestFacts):
    """A sticky approval by id, and which arguments it keeps; their values are the request's own."""

    sticky: Id | None = None
    expires_at: Moment | None = None
    kept: Codes | None = None


class DecisionRefused(RequestFacts):
    """A verdict that did not count."""

    verdict: Code | None = None
    state: Code | None = None
