"""Reasons that admins keep."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext

from audit.errors import Invalid, NotFound


class ChipUnknown(NotFound):
    """No such reason chip."""

    code = "reason_chip_unknown"

    def __init__(self, chip: str) -> None:
        super().__init__(gettext("There is no such reason."), params={"reason_chip": chip})


class BadChip(Invalid):
    """A reason chip does not hold; `params["errors"]` lists {field, message}."""

    code = "bad_reason_chip"

    def __init__(self, errors: Sequence[dict[str, str]]) -> None:
        text = " ".join(error["message"] for error in errors)
        super().__init__(
            gettext("This reason cannot be kept. {text}").format(text=text),
            params={"errors": list(errors)},
        )
