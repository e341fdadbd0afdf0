"""People, review groups and API tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext, gettext_lazy
from uuid6 import uuid7

from accounts.identity_models import LinkedIdentity
from accounts.session_models import SignedIn
from accounts.vocabulary import PERMISSION_SENTENCES, SCOPES, Permission, RoleName
from audit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Absence",
    "ApiToken",
    "EffectiveMembership",
    "FactorLock",
    "LinkedIdentity",
    "Membership",
    "ReviewGroup",
    "SignedIn",
    "User",
]


class UserQuerySet(models.QuerySet["User"]):
    def active(self) -> UserQuerySet:
        return self.filter(is_active=True)

    def with_role(self, role: RoleName) -> UserQuerySet:
        return self.filter(groups__name=role)

    def holding(self, permission: Permission) -> UserQuerySet:
        """Active people who have the permission, through a role, by themselves, or as superuser."""
        match = {"codename": permission, "content_type__app_label": "accounts"}
        by_role = User.groups.through.objects.filter(
            user_id=OuterRef("pk"),
            **{f"group__permissions__{key}": value for key, value in match.items()},
        )
        by_themselves = User.user_permissions.through.objects.filter(
            user_id=OuterRef("pk"),
            **{f"permission__{key}": value for key, value in match.items()},
        )
        return self.active().filter(
            Q(is_superuser=True) | Q(Exists(by_role)) | Q(Exists(by_themselves))
        )

    def in_groups(self, group_ids: Iterable[int], *, not_for: Iterable[int] = ()) -> UserQuerySet:
        """People who count as members of at least one of the review groups now, each once; nobody whose
        only way in is to stand in for one of `not_for`."""
        memberships = EffectiveMembership.objects.filter(
            user_id=OuterRef("pk"), group_id__in=list(group_ids)
        ).not_for(not_for)
        return self.filter(Exists(memberships))


class PeopleManager(UserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Django's user manager (create_user, get_by_natural_key) with our QuerySet words."""

    use_in_migrations = False


def _require_printable(field: str, name: str) -> None:
    if printable(name) != name or "\n" in name:
        raise ValidationError(
            {
                field: gettext("This holds a character that cannot be seen: {name}").format(
                    name=printable(name)
                )
            }
        )


class User(AbstractUser):
    """A person. Deactivated, never deleted: requests and events keep pointing here."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    display_name = models.CharField("display name", max_length=120, blank=True)
    #: A code of `settings.LANGUAGES`; empty where the browser's language is followed.
    language = models.CharField(max_length=16, blank=True, default="")
    #: What `accounts.keymap.KeyMap` reads.
    keymap = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        db_default=models.Value({}, models.JSONField()),
    )

    objects: ClassVar[PeopleManager] = PeopleManager()

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Meta(AbstractUser.Meta):
        permissions = list(PERMISSION_SENTENCES.items())
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_username_once",
                violation_error_message=gettext_lazy("This user name is taken."),
            )
        ]

    def __str__(self) -> str:
        return self.get_full_name()

    def clean(self) -> None:
        """A name stands in decisions and in the log: nobody's may hold what cannot be seen."""
        super().clean()
        _require_printable("display_name", self.display_name)

    def get_full_name(self) -> str:
        """What other people see: the display name, or the user name where there is none."""
        return self.display_name or self.username

    def get_short_name(self) -> str:
        return self.get_full_name()


class ReviewGroup(models.Model):
    """People who are asked together: Finance, Support."""

    slug = models.SlugField(max_length=50, unique=True)
    title = models.CharField(max_length=80)
    email = models.EmailField(blank=True)
    members = models.ManyToManyField(User, through="Membership", related_name="review_groups")

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """As a person's name."""
        super().clean()
        _require_printable("title", self.title)


class Membership(models.Model):
    """One person in one review group, since when."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    group = models.ForeignKey(ReviewGroup, on_delete=models.CASCADE, related_name="memberships")
    joined_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "group"], name="accounts_membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.group}"


class AbsenceQuerySet(models.QuerySet["Absence"]):
    def visible_to(self, user: User) -> AbsenceQuerySet:
        """Those that concern the person, or all for whoever manages people."""
        if user.has_perm("accounts.manage_people"):
            return self.all()
        return self.filter(Q(person=user) | Q(stand_in=user))

    def to_come_or_holding(self) -> AbsenceQuerySet:
        """Not over yet."""
        return self.filter(ended_at__isnull=True, ends_at__gt=Now())

    def holding(self) -> AbsenceQuerySet:
        """Those in which somebody is out of office now."""
        return self.to_come_or_holding().filter(starts_at__lte=Now())

    def soonest_first(self) -> AbsenceQuerySet:
        return self.order_by("starts_at", "pk")


class Absence(models.Model):
    """A person is out of office and somebody stands in: from when until when.

    It is over at `ends_at` by the clock, or at `ended_at` where somebody ended it before. What it gives is
    `EffectiveMembership`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="absences")
    stand_in = models.ForeignKey(User, on_delete=models.PROTECT, related_name="stands_in")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = AbsenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(person=F("stand_in")), name="accounts_absence_of_somebody_else"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="accounts_absence_has_length"
            ),
        ]
        indexes = [
            models.Index(
                fields=["stand_in", "ends_at"],
                condition=Q(ended_at__isnull=True),
                name="accounts_absence_stand_in",
            )
        ]

    def __str__(self) -> str:
        return f"{self.stand_in} for {self.person}"


class EffectiveMembershipQuerySet(models.QuerySet["EffectiveMembership"]):
    def not_for(self, people: Iterable[int]) -> EffectiveMembershipQuerySet:
        """Without what comes from standing in for one of these people."""
        barred = list(people)
        if not barred:
            return self
        return self.filter(Q(on_behalf_of__isnull=True) | ~Q(on_behalf_of__in=barred))


class EffectiveMembership(models.Model):
    """Who counts as a member of a review group now: its members, and who stands in for one of them.

    The one word for "may decide" and "may see" by groups; what is administered is `Membership`. A view of
    the database: a membership of one's own has no `on_behalf_of`. Somebody stands in while the absence
    holds, both are active, and both may decide requests: nobody hands on what they do not have, and a
    membership that one has by standing in is not handed on.
    """

    key = models.TextField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.DO_NOTHING, related_name="+")
    group = models.ForeignKey(ReviewGroup, on_delete=models.DO_NOTHING, related_name="+")
    on_behalf_of = models.ForeignKey(User, on_delete=models.DO_NOTHING, null=True, related_name="+")

    objects = EffectiveMembershipQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "accounts_effective_membership"

    def __str__(self) -> str:
        return f"{self.user_id} in {self.group_id}"


class FactorLockManager(models.Manager["FactorLock"]):
    def locked(self, person: User) -> FactorLock:
        """The person's row, locked: one attempt and one change of second factors at a time."""
        self.get_or_create(user=person)
        return self.select_for_update().get(user=person)


class FactorLock(models.Model):
    """How often a person's codes were wrong since the last right one, and until when none is taken."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="factor_lock")
    failures = models.PositiveIntegerField(default=0)
    closed_until = models.DateTimeField(null=True, blank=True)

    objects = FactorLockManager()

    def __str__(self) -> str:
        return f"{self.failures} wrong codes of {self.user_id}"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def visible_to(self, user: User) -> ApiTokenQuerySet:
        """Only one's own: nobody else has a use for the list of somebody's tokens."""
        return self.filter(user=user)

    def usable(self) -> ApiTokenQuerySet:
        """Neither revoked nor expired."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=Now()), revoked_at__isnull=True
        )

    def newest_first(self) -> ApiTokenQuerySet:
        return self.order_by("-created_at", "-id")


class ApiToken(models.Model):
    """A bearer token. The secret is shown once and kept only as its SHA-256."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)
    secret_sha256 = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=16))
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=list(SCOPES)) & Q(scopes__len__gt=0),
                name="accounts_apitoken_known_scopes",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="accounts_apitoken_expires_after_creation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (cs_{self.prefix}_…)"
