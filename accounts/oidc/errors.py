"""Refusals of signing in at the identity provider. What went wrong inside is for the log alone."""

from typing import Final

from django.utils.translation import gettext

from audit.errors import Conflict, Forbidden, NotFound, Unavailable
from audit.wordings import Words

#: Why somebody whom the provider vouches for is not let in; the code stands in the event.
REASONS: Final = Words(
    {
        "closed": "This account is closed. Ask an admin.",
        "not_allowed": (
            "The identity provider knows you, but you are not among those who may sign in here. Ask whoever "
            "manages your groups there."
        ),
        "taken": (
            "Somebody with your name or address has an account here already, which does not belong to this sign-in "
            "yet. Ask an admin."
        ),
        "unknown": "The identity provider knows you, but you have no account here. Ask an admin.",
        "last_admin": (
            "The identity provider no longer makes you an admin, and nobody else is one here. Somebody with the "
            "emergency account has to name another admin first."
        ),
    }
)


class ProviderAway(Unavailable):
    """The provider does not answer, or not as OpenID Connect wants it. `why` is for the log."""

    code = "identity_provider_away"

    def __init__(self, why: str, *, status: int = 0) -> None:
        self.why = why
        #: The provider's own, where that is what was wrong.
        self.status = status
        super().__init__(
            gettext(
                "The identity provider does not answer as it should. Nothing was changed. Try again shortly; if "
                "it stays so, tell an admin."
            )
        )


class AnswerRefused(Forbidden):
    """What the provider, or somebody in its place, sent does not fit what was asked. `why` is for the log."""

    code = "identity_refused"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            gettext(
                "The identity provider's answer could not be accepted. Sign in again from the beginning; if it "
                "happens again, tell an admin."
            )
        )


class Cancelled(Forbidden):
    """The person, or the provider, ended it there."""

    code = "identity_cancelled"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(gettext("You were not signed in at the identity provider."))


class NotAdmitted(Forbidden):
    """The provider vouches for somebody who is not let in here. `reason` is a key of REASONS."""

    code = "not_admitted"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(REASONS[reason], params={"reason": reason})


class NotConfirmed(Forbidden):
    """Somebody confirmed at the provider, but not the one who is signed in here, or not now."""

    code = "identity_not_confirmed"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            gettext(
                "The identity provider did not confirm just now that it is you. Try again with the account that "
                "you signed in with."
            )
        )


class IdentityTaken(Conflict):
    code = "identity_taken"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "That name at the identity provider is linked to somebody already, or this person is linked to "
                "another one. Take that link away first."
            )
        )


class NoIdentity(NotFound):
    code = "no_identity"

    def __init__(self) -> None:
        super().__init__(gettext("This person is not linked to the identity provider."))
