"""Browsers in which somebody is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from accounts.models import User


class SignedInQuerySet(models.QuerySet["SignedIn"]):
    def visible_to(self, user: User) -> SignedInQuerySet:
        """Only one's own."""
        return self.filter(user=user)

    def open(self) -> SignedInQuerySet:
        """Whose session is not over by the clock."""
        return self.filter(session__expire_date__gt=Now())

    def newest_first(self) -> SignedInQuerySet:
        return self.order_by("-began_at", "-pk")


class SignedIn(models.Model):
    """One browser in which a person signed in: which kind, when, and when last used. It goes with its session.

    No address is kept here: those of sign-ins stand in the log, where they can be erased.
    """

    session = models.OneToOneField(
        "sessions.Session", on_delete=models.CASCADE, primary_key=True, related_name="signed_in"
    )
    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, related_name="signed_in_browsers"
    )
    device = models.CharField(max_length=40)
    began_at = models.DateTimeField(db_default=Now())
    #: To the minute: `accounts.session_uses` notes it no more often.
    last_used_at = models.DateTimeField(db_default=Now())

    objects = SignedInQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.user_id}: {self.device}"
