"""Saved views: a person names filters to find them again, renames and deletes them.

Like the theme it is a preference that changes nothing for anybody else: the log does not tell of it.
"""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.models import User
from approvals.errors.saved_views import BadView, ViewUnknown
from approvals.models.saved_view import LONGEST_NAME, SavedView

#: More are no shortcut any more.
MOST_VIEWS: Final = 20


def save_view(*, name: str, query: str, caller: Caller) -> SavedView:
    """Keep a list and its filters under a name. Raises `BadView`."""
    with transaction.atomic():
        words = _free(name, caller)
        if SavedView.objects.filter(user=caller.user).count() >= MOST_VIEWS:
            raise BadView(
                gettext("You have {most_views} saved views. Delete one first.").format(
                    most_views=MOST_VIEWS
                )
            )
        return SavedView.objects.create(user=caller.user, name=words, query=query)


def rename_view(*, pk: int, name: str, caller: Caller) -> SavedView:
    """Give a view of the caller's another name. Raises `BadView` and `ViewUnknown`."""
    with transaction.atomic():
        words = _free(name, caller, but_for=pk)
        view = SavedView.objects.filter(pk=pk, user=caller.user).first()
        if view is None:
            raise ViewUnknown
        view.name = words
        view.save(update_fields=["name"])
        return view


def delete_view(*, pk: int, caller: Caller) -> None:
    """Forget a view of the caller's. Raises `ViewUnknown`."""
    gone, _ = SavedView.objects.filter(pk=pk, user=caller.user).delete()
    if not gone:
        raise ViewUnknown


def _free(name: str, caller: Caller, but_for: int = 0) -> str:
    """The name as it is kept, which no other view of the caller's has. Holds the caller's row, so that two
    tabs save one after the other."""
    User.objects.select_for_update(no_key=True).get(pk=caller.user.pk)
    words = " ".join(name.split())
    if not words or "\0" in words:
        raise BadView(gettext("Give it a name."))
    if len(words) > LONGEST_NAME:
        raise BadView(
            gettext("A name has at most {longest_name} characters.").format(
                longest_name=LONGEST_NAME
            )
        )
    if SavedView.objects.filter(user=caller.user, name__iexact=words).exclude(pk=but_for).exists():
        raise BadView(gettext("Another view of yours has this name."))
    return words
