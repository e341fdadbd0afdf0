"""Who sees figures, and which."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.errors import PermissionMissing
from accounts.vocabulary import Permission

#: Any of them: operators, admins, auditors. They see every run, so a number of runs tells them nothing new.
SEEING: tuple[Permission, ...] = ("start_runs", "read_everything")


def may_see(caller: Caller) -> bool:
    return any(caller.holds(name) for name in SEEING)


def may_see_people(caller: Caller) -> bool:
    """What each person decided is for admins and auditors."""
    return caller.holds("read_everything")


def require_sight(caller: Caller) -> None:
    """For pages. Raises PermissionDenied, which says who can."""
    if not may_see(caller):
        raise PermissionDenied(gettext("Operators, admins and auditors see figures of agents."))


def require_sight_by_api(caller: Caller) -> None:
    """For the API. Raises a Forbidden."""
    caller.require(None, scope="read")
    if not may_see(caller):
        raise PermissionMissing("read_everything")
