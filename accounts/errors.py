"""Refusals of this app, in words that say what to do."""

import math
from typing import TYPE_CHECKING

from django.utils.translation import gettext, ngettext

from audit.errors import Conflict, Forbidden, Invalid, NotFound

if TYPE_CHECKING:
    from accounts.vocabulary import Permission, Scope


class PermissionMissing(Forbidden):
    code = "permission_missing"

    def __init__(self, permission: "Permission | None") -> None:
        super().__init__(
            gettext(
                "This needs the permission {permission}, which your account does not have. Ask "
                "an admin for a role that includes it."
            ).format(permission=f"“{permission.replace('_', ' ')}”")
            if permission
            else gettext("This account is not active. Ask an admin."),
            params={"permission": permission} if permission else {},
        )


class ScopeMissing(Forbidden):
    code = "scope_missing"

    def __init__(self, scope: "Scope") -> None:
        super().__init__(
            gettext("This token does not carry the scope {scope}. Create one that does.").format(
                scope=scope
            ),
            params={"scope": scope},
        )


class SessionRequired(Forbidden):
    code = "session_required"

    def __init__(self) -> None:
        super().__init__(gettext("This can be done in the browser only, not with a token."))


class UnknownPerson(NotFound):
    code = "unknown_person"

    def __init__(self, username: str) -> None:
        super().__init__(
            gettext("There is nobody with the user name {username}.").format(username=username)
        )


class UnknownReviewGroup(NotFound):
    code = "unknown_review_group"

    def __init__(self, slug: str) -> None:
        super().__init__(
            gettext("There is no review group {slug}.").format(slug=slug), params={"group": slug}
        )


class UnknownLanguage(Invalid):
    code = "unknown_language"

    def __init__(self, language: str) -> None:
        super().__init__(
            gettext("There is no such language here. Choose one of those that are offered."),
            params={"language": language},
        )


class UnknownToken(NotFound):
    code = "unknown_token"

    def __init__(self) -> None:
        super().__init__(gettext("There is no such token of yours."))


class UnknownSession(NotFound):
    code = "unknown_session"

    def __init__(self) -> None:
        super().__init__(gettext("You are not signed in there any more."))


class UsernameTaken(Conflict):
    code = "username_taken"

    def __init__(self, username: str) -> None:
        super().__init__(
            gettext("The user name {username} is taken. Choose another one.").format(
                username=username
            )
        )


class LastAdmin(Conflict):
    code = "last_admin"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "This is the last active admin. Make somebody else an admin first, or nobody "
                "could manage people any more."
            )
        )


class BadPerson(Invalid):
    """The description of a person does not hold; `errors` maps field to sentences."""

    code = "bad_person"

    def __init__(self, errors: dict[str, list[str]]) -> None:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        super().__init__(sentences, params={"errors": errors})
        self.errors = errors


class BadKeys(Invalid):
    """The chosen keys do not go; `errors` maps an action to a sentence."""

    code = "bad_keys"

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()), params={"errors": errors})
        self.errors = errors


class BadAbsence(Invalid):
    """The time out of office does not hold; `errors` maps field to sentences."""

    code = "bad_absence"

    def __init__(self, errors: dict[str, list[str]]) -> None:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        super().__init__(sentences, params={"errors": errors})
        self.errors = errors


class UnknownAbsence(NotFound):
    code = "unknown_absence"

    def __init__(self) -> None:
        super().__init__(gettext("There is no such time out of office, or it has ended."))


class BadReviewGroup(Invalid):
    """The description of a review group does not hold; `errors` maps field to sentences."""

    code = "bad_review_group"

    def __init__(self, errors: dict[str, list[str]]) -> None:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        super().__init__(sentences, params={"errors": errors})


class UnknownRole(Invalid):
    code = "unknown_role"

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            gettext("Not a role: {names}.").format(names=", ".join(names)), params={"roles": names}
        )


class UnknownScope(Invalid):
    code = "unknown_scope"

    def __init__(self, names: list[str], known: tuple[str, ...]) -> None:
        super().__init__(
            gettext("Not a scope: {names}. Choose from {known}.").format(
                names=", ".join(names), known=", ".join(known)
            ),
            params={"scopes": names},
        )


class ScopeBeyondAccount(Invalid):
    code = "scope_beyond_account"

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            gettext(
                "The account may do nothing that needs the scope {names}. A token never carries "
                "more than its account may do."
            ).format(names=", ".join(names)),
            params={"scopes": names},
        )


class BadToken(Invalid):
    """The description of a token to create does not hold."""

    code = "bad_token"


class TokenRefused(Forbidden):
    """A presented token is unknown, revoked, expired, or its account is closed.

    One sentence for all: whoever guesses learns nothing.
    """

    code = "token_refused"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "The token is not valid. Create one on the settings page and send it as "
                "“Authorization: Bearer …”."
            )
        )


class CsrfFailed(Forbidden):
    code = "csrf_failed"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "This request did not come from one of our pages. Reload the page, or use a token."
            )
        )


class WrongCode(Forbidden):
    """The code is not one of now, or was used before; the same words for both."""

    code = "wrong_code"

    def __init__(self) -> None:
        super().__init__(
            gettext("This code is not right, or it was used already. Wait for the next one.")
        )


class WrongPasskey(Forbidden):
    code = "wrong_passkey"

    def __init__(self) -> None:
        super().__init__(gettext("The passkey was not accepted. Try again, or use another way."))


class CodesClosed(Forbidden):
    """Too many wrong codes: none is looked at for a while, by any process. Passkeys still work."""

    code = "codes_closed"

    def __init__(self, seconds: float) -> None:
        minutes = max(1, math.ceil(seconds / 60))
        super().__init__(
            ngettext(
                "Too many wrong codes. Codes are taken again in {minutes} minute. A passkey works "
                "in the meantime.",
                "Too many wrong codes. Codes are taken again in {minutes} minutes. A passkey works "
                "in the meantime.",
                minutes,
            ).format(minutes=minutes),
            params={"retry_after_seconds": max(1, math.ceil(seconds))},
        )


class FactorUnreadable(Conflict):
    """The stored secret cannot be decrypted: the server's secret key is another one."""

    code = "factor_unreadable"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "This second factor can no longer be checked, because the server's secret key "
                "changed. Use a passkey, or ask an admin to reset your second factor."
            )
        )


class NoSuchFactor(NotFound):
    code = "no_such_factor"

    def __init__(self) -> None:
        super().__init__(gettext("You have no such second factor."))


class AppThere(Conflict):
    code = "app_there"

    def __init__(self) -> None:
        super().__init__(
            gettext("You have an authenticator app already. Remove it before adding another.")
        )


class NothingToRecover(Conflict):
    code = "nothing_to_recover"

    def __init__(self) -> None:
        super().__init__(gettext("Recovery codes stand in for a second factor. Add one first."))


class OwnFactors(Conflict):
    code = "own_factors"

    def __init__(self) -> None:
        super().__init__(gettext("Your own second factor is removed in the settings, not here."))
