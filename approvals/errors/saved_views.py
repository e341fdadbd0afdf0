"""Refusals about saved views."""

from __future__ import annotations

from django.utils.translation import gettext

from audit.errors import Invalid, NotFound


class BadView(Invalid):
    """A saved view does not hold; `params["errors"]` lists {field, message}."""

    code = "bad_saved_view"

    def __init__(self, message: str) -> None:
        super().__init__(message, params={"errors": [{"field": "name", "message": message}]})


class ViewUnknown(NotFound):
    """The person has no such saved view."""

    code = "saved_view_unknown"

    def __init__(self) -> None:
        super().__init__(gettext("There is no such saved view."))
