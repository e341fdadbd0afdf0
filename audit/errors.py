"""Refusals: what the product says when it does not do what it was asked for.

A refusal carries a stable `code` for programs and a `detail` sentence for people. It knows no HTTP:
the edge translates the kind of refusal into a status.
"""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """Something was asked for and is not done.

    `code` is snake_case and never changes once released; `detail` is a sentence that says what to do;
    `params` are the JSON-ready values that the sentence speaks of.
    """

    code: str = "refused"
    detail: str
    params: dict[str, Any]

    def __init__(
        self, detail: str, *, code: str | None = None, params: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        if code is not None:
            self.code = code
        self.detail = detail
        self.params = dict(params or {})

    @property
    def problems(self) -> list[dict[str, Any]]:
        """What is wrong as `{"field", "message"}`; the detail, at no field, where none was named."""
        return self.params.get("errors") or [{"field": "", "message": self.detail}]

    @property
    def lines(self) -> list[str]:
        """The same, a sentence each that begins with its field."""
        named = ((str(error.get("field") or ""), error["message"]) for error in self.problems)
        return [f"{field}: {message}" if field else str(message) for field, message in named]


class NotFound(Refusal):
    """There is no such thing, or not for this caller."""

    code = "not_found"


class Conflict(Refusal):
    """The world has moved on since the caller looked."""

    code = "conflict"


class Forbidden(Refusal):
    """The caller may not do this."""

    code = "forbidden"


class Invalid(Refusal):
    """What was sent cannot be understood or does not follow the rules."""

    code = "invalid"


class TooLarge(Refusal):
    """What was sent exceeds a stated limit."""

    code = "too_large"


class Unsigned(Refusal):
    """Who sent this is not known: it is not signed, or not by whom it says."""

    code = "signature_refused"


class Unavailable(Refusal):
    """It cannot be done now; the same request may succeed later."""

    code = "unavailable"
