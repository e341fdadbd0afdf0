"""Facts of people: sign-ins, roles, groups, stand-ins, tokens."""

from audit.fact_schemas.base import Codes, Facts, Id, Moment
from audit.schemas import Code, Count


class SessionFacts(Facts):
    """How somebody came in or went."""

    method: Code | None = None
    why: Code | None = None


class PersonFacts(Facts):
    """A person by id; never by name."""

    person: Id
    added: Codes | None = None
    removed: Codes | None = None


class PasswordFacts(Facts):
    """A person by id, and how they came to choose another password: signed in (`session`), or by a `link`."""

    person: Id
    how: Code


class IdentityFacts(Facts):
    """A person by id, at an identity provider by its issuer; never by their name there."""

    person: Id
    issuer: Code
    how: Code | None = None


class LanguageFacts(Facts):
    """The language, by its code, in which a person reads."""

    person: Id
    language: Code


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


class ReviewGroupFacts(Facts):
    """A review group by its slug."""

    group: Code


class TokenFacts(Facts):
    """An API token by id, and what it may do."""

    token: Id
    scopes: Codes | None = None


class KeyFacts(Facts):
    """The keys that a person chose for their pages: whether none works, and the actions whose key changed."""

    off: bool
    changed: Codes


class SessionEnded(Facts):
    """Which session a person ended from another browser: a name of it that opens nothing."""

    session: Code


class SessionsEnded(Facts):
    """How many browsers a person signed out from another one."""

    ended: Count


class SignedOutByAnother(Facts):
    """An admin signed a person out: whom, and in how many browsers."""

    person: Id
    ended: Count


class AccessRefused(Facts):
    """Somebody asked for what they may not have."""

    permission: Code | None = None
    scope: Code | None = None
    door: Code | None = None
    method: Code | None = None
