"""What evaluations refuse, in domain words; the edge translates to HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext

from audit.errors import Conflict, Invalid, NotFound, TooLarge


class UnknownEvaluation(NotFound):
    code = "unknown_evaluation"

    def __init__(self) -> None:
        super().__init__(gettext("There is no such evaluation, or you may not see it."))


class UnknownCase(NotFound):
    code = "unknown_evaluation_case"

    def __init__(self) -> None:
        super().__init__(gettext("There is no such case, or you may not see it."))


class UnknownSuite(NotFound):
    code = "unknown_suite"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        there = ", ".join(known) or gettext("none")
        super().__init__(
            gettext(
                "There is no suite called {name}, neither as a file nor among the saved cases. There are: {there}."
            ).format(name=name, there=there),
            params={"suite": name, "known": list(known)},
        )


class SuiteMalformed(Invalid):
    """`errors` are what is wrong, each with its place: `field` is the line, where one is known, and the path."""

    code = "suite_malformed"

    def __init__(self, source: str, errors: Sequence[tuple[str, str]]) -> None:
        said = "; ".join(f"{place}: {message}" if place else message for place, message in errors)
        super().__init__(
            f"{source}: {said}",
            params={"errors": [{"field": place, "message": what} for place, what in errors]},
        )


class SuiteTooLarge(TooLarge):
    code = "suite_too_large"

    def __init__(self, source: str, most: int) -> None:
        super().__init__(
            gettext("{source} is larger than {most} bytes. Split it into several suites.").format(
                source=source, most=most
            ),
            params={"most": most},
        )


class OtherAgent(Invalid):
    code = "suite_of_another_agent"

    def __init__(self, suite: str, agent: str, asked: str) -> None:
        super().__init__(
            gettext("The suite {suite} is for {agent}, not for {asked}.").format(
                suite=suite, agent=agent, asked=asked
            ),
            params={"suite": suite, "agent": agent},
        )


class NotPlayable(Conflict):
    """The evaluation cannot begin, or go on, as things stand."""

    code = "not_playable"


class CaseHidesValues(Invalid):
    """A case still holds marks in place of values that may not be kept."""

    code = "case_hides_values"

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__(
            gettext(
                "Write made-up values in place of what is hidden, at: {places}. Sensitive values and secrets are "
                "never kept in a case."
            ).format(places=", ".join(places)),
            params={"places": list(places)},
        )


class CaseNameTaken(Conflict):
    code = "case_name_taken"

    def __init__(self, suite: str, name: str) -> None:
        super().__init__(
            gettext(
                "{suite} has a case called “{name}” already. Give this one another name."
            ).format(suite=suite, name=name),
            params={"suite": suite, "name": name},
        )
