"""What the auditors' pages share: who may come in, and addresses of lists."""

from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.urls import reverse

ROWS_PER_PAGE: Final = 50

reads_audit = permission_required("accounts.read_audit", raise_exception=True)


def address(name: str, given: dict[str, Any]) -> str:
    """A list's address with what is asked for in it."""
    return reverse(name) + (f"?{urlencode(given)}" if given else "")


def pager(
    name: str, given: dict[str, Any], cursor: str | None, next_cursor: str | None
) -> dict[str, str]:
    """Addresses of the first and the next page, each empty where there is none to go to."""
    return {
        "next_url": address(name, {**given, "cursor": next_cursor}) if next_cursor else "",
        "first_url": address(name, given) if cursor else "",
    }
