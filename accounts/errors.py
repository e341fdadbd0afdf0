"""Refusals of this app, in words that say what to do."""

from typing import TYPE_CHECKING

from audit.errors import Conflict, Forbidden, Invalid, NotFound

if TYPE_CHECKING:
    from accounts.vocabulary import Permission, Scope


class PermissionMissing(Forbidden):
    code = "permission_missing"

    def __init__(self, permission: "Permission | None") -> None:
        super().__init__(
            f"This needs the permission {permission}, which your account does not have. "
            "Ask an admin for a role that includes it."
            if permission
            else "This account is not active. Ask an admin.",
            params={"permission": permission} if permission else {},
        )


class ScopeMissing(Forbidden):
    code = "scope_missing"

    def __init__(self, scope: "Scope") -> None:
        super().__init__(
            f"This token does not carry the scope {scope}. Create one that does.",
            params={"scope": scope},
        )


class SessionRequired(Forbidden):
    code = "session_required"

    def __init__(self) -> None:
        super().__init__("This can be done in the browser only, not with a token.")


class UnknownPerson(NotFound):
    code = "unknown_person"

    def __init__(self, username: str) -> None:
        super().__init__(f"There is nobody with the user name {username}.")


class UnknownReviewGroup(NotFound):
    code = "unknown_review_group"

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is no review group {slug}.", params={"group": slug})


class UnknownToken(NotFound):
    code = "unknown_token"

    def __init__(self) -> None:
        super().__init__("There is no such token of yours.")


class UsernameTaken(Conflict):
    code = "username_taken"

    def __init__(self, username: str) -> None:
        super().__init__(f"The user name {username} is taken. Choose another one.")


class LastAdmin(Conflict):
    code = "last_admin"

    def __init__(self) -> None:
        super().__init__(
            "This is the last active admin. Make somebody else an admin first, "
            "or nobody could manage people any more."
        )


class BadPerson(Invalid):
    """The description of a person does not hold; `errors` maps field to sentences."""

    code = "bad_person"

    def __init__(self, errors: dict[str, list[str]]) -> None:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        super().__init__(sentences, params={"errors": errors})
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
        super().__init__("There is no such time out of office, or it has ended.")


class BadReviewGroup(Invalid):
    """The description of a review group does not hold; `errors` maps field to sentences."""

    code = "bad_review_group"

    def __init__(self, errors: dict[str, list[str]]) -> None:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        super().__init__(sentences, params={"errors": errors})


class UnknownRole(Invalid):
    code = "unknown_role"

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"Not a role: {', '.join(names)}.", params={"roles": names})


class UnknownScope(Invalid):
    code = "unknown_scope"

    def __init__(self, names: list[str], known: tuple[str, ...]) -> None:
        super().__init__(
            f"Not a scope: {', '.join(names)}. Choose from {', '.join(known)}.",
            params={"scopes": names},
        )


class ScopeBeyondAccount(Invalid):
    code = "scope_beyond_account"

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"The account may do nothing that needs the scope {', '.join(names)}. "
            "A token never carries more than its account may do.",
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
            "The token is not valid. Create one on the settings page and send it as "
            "“Authorization: Bearer …”."
        )


class CsrfFailed(Forbidden):
    code = "csrf_failed"

    def __init__(self) -> None:
        super().__init__(
            "This request did not come from one of our pages. Reload the page, or use a token."
        )
