"""What insights refuses, in domain words; the edge translates to HTTP."""

from __future__ import annotations

from django.utils.translation import gettext

from audit.errors import Conflict, Invalid, NotFound


class PeriodInvalid(Invalid):
    """`field` is the part of the period or filter that does not fit."""

    code = "period_invalid"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why, params={"field": field})


class NotFailed(Conflict):
    """The run has no class of failure to correct."""

    code = "run_not_failed"

    def __init__(self) -> None:
        super().__init__(
            gettext("This run succeeded or has not ended, so there is no failure to name.")
        )


class NotCounted(Conflict):
    """The run has ended and its figures are not gathered yet."""

    code = "run_not_counted_yet"

    def __init__(self) -> None:
        super().__init__(
            gettext("This run is not counted yet. Its figures are gathered within a minute or two.")
        )


class UnknownAgentHere(NotFound):
    """No agent of that name, or none whose alerts the caller may set."""

    code = "unknown_agent"

    def __init__(self, slug: str) -> None:
        super().__init__(
            gettext("There is no agent called {slug}.").format(slug=slug), params={"agent": slug}
        )


class ThresholdsInvalid(Invalid):
    """`field` is the threshold that does not fit."""

    code = "thresholds_invalid"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why, params={"field": field})
