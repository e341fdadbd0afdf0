"""Edits that are not taken."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext

from audit.errors import Invalid


class EditDenied(Invalid):
    """The policy denies the edited action."""

    code = "edit_denied"

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(
            gettext("The policy denies the action as edited: {reasons}").format(
                reasons=" ".join(reasons)
            ),
            params={"reasons": list(reasons)},
        )


class EditingUnavailable(Invalid):
    """Nobody here knows the tool's schema."""

    code = "editing_unavailable"

    def __init__(self, tool: str) -> None:
        super().__init__(
            gettext(
                "The arguments of {tool} cannot be edited here. Send the action back instead."
            ).format(tool=tool),
            params={"tool": tool},
        )
