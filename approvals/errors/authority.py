"""Who may not: one's own, not of the group, what is hidden from them, no second factor."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext

from audit import spellings
from audit.errors import Forbidden


class OwnRequest(Forbidden):
    """Nobody approves their own."""

    code = "own_request"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "You started this run, so somebody else must decide. No role or token changes that."
            )
        )


class OwnEdit(Forbidden):
    """The editor of a material edit is not its approver."""

    code = "own_edit"

    def __init__(self) -> None:
        super().__init__(
            gettext("You changed these arguments, so somebody else must approve what they are now.")
        )


class NotInGroups(Forbidden):
    """The request is for other people."""

    code = "not_in_groups"

    def __init__(self, groups: Sequence[str]) -> None:
        super().__init__(
            gettext("This is for {groups} to decide.").format(
                groups=spellings.either(groups) or gettext("nobody here")
            ),
            params={"groups": list(groups)},
        )


class StandsInForInitiator(Forbidden):
    """Nobody stands in for somebody on what that person started."""

    code = "stands_in_for_initiator"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "You stand in for the person who started this run, and they may not decide it "
                "either. Somebody of the group itself must."
            )
        )


class StandsInForEditor(Forbidden):
    """Nobody stands in for the editor of a material edit on that edit."""

    code = "stands_in_for_editor"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "You stand in for the person who changed these arguments, so somebody else must "
                "approve what they are now."
            )
        )


class SensitiveHidden(Forbidden):
    """Who may not see an argument may not approve it."""

    code = "sensitive_hidden"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            gettext(
                "You may not see all arguments of this action, so you may not approve it. "
                "Somebody with the permission to read sensitive arguments must."
            ),
            params={"arguments": list(names)},
        )


class SecondFactorRequired(Forbidden):
    """The policy asks for a second factor, which a token cannot give.

    `confirm_url` is where somebody who is signed in gives it.
    """

    code = "second_factor_required"

    def __init__(self, confirm_url: str = "") -> None:
        super().__init__(
            gettext(
                "This request asks for a second factor. Decide it in the browser, after "
                "confirming with your authenticator or passkey."
            ),
            params={"confirm_url": confirm_url} if confirm_url else {},
        )
