"""Decisions on several requests together."""

from __future__ import annotations

from django.utils.translation import gettext

from audit.errors import Invalid


class BadBatch(Invalid):
    """Nothing, too much, or one thing twice."""

    code = "bad_batch"

    def __init__(self, number: int, most: int) -> None:
        super().__init__(
            gettext("Decide 1 to {most} different requests together; these are {number}.").format(
                most=most, number=number
            ),
            params={"number": number, "most": most},
        )


class DecidedAlone(Invalid):
    """Only what is safe is decided together with others."""

    code = "not_in_batch"

    def __init__(self, why: str) -> None:
        super().__init__(
            gettext("Decide this one on its own: {why}.").format(why=why), params={"why": why}
        )
