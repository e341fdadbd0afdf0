"""Whom an identity provider means: its name for somebody, and the person here."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class LinkedIdentity(models.Model):
    """A person's name at an identity provider, by which alone they are known again.

    The subject is the provider's own name for somebody, good for ever and never given to another; an e-mail
    address is neither.
    """

    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, related_name="linked_identities"
    )
    issuer = models.CharField(max_length=200)
    subject = models.CharField(max_length=255)
    linked_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="accounts_identity_once"),
            models.UniqueConstraint(fields=["user", "issuer"], name="accounts_identity_one_each"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} at {self.issuer}"
