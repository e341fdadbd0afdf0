"""The policy in force."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection, transaction
from django.db.models.functions import Now

from approvals.digests import document_digest
from approvals.errors import PolicyUnknown, PolicyUnreadable
from approvals.models import PolicyVersion, StickyApproval
from approvals.policies import Policy, PublishedPolicy, default_policy, load
from approvals.services.calendars import require_calendars
from approvals.thresholds import shipped_thresholds
from audit.actors import Actor
from audit.errors import Refusal
from audit.prepared import Prepared
from audit.recorder import record
from audit.schemas import PolicyRef

#: More than that at once are no exceptions any more: the newest wait until others end.
MOST_STICKIES = 500
_FIRST_POLICY_LOCK = 7_302_117

_newest = Prepared(
    lambda: (
        PolicyVersion.objects.published()
        .order_by("-number")
        .only("number", "sha256", "state")
        .annotate(
            sticky_ids=ArraySubquery(
                StickyApproval.objects.counting().order_by("pk").values("pk")[:MOST_STICKIES]
            )
        )[:1]
    )
)


def current() -> PublishedPolicy:
    """The published version with the highest number; one query when it is known already.

    On a fresh database the shipped policy is published first, so that the gate always has one.
    Raises `PolicyUnreadable` when the stored document is not what was published.
    """
    newest = _newest.one()
    if newest is None or newest.number is None:
        return _publish_shipped()
    sticky_ids = vars(newest)["sticky_ids"]
    if sticky_ids:
        return _with_stickies(newest.number, newest.sha256, tuple(sticky_ids))
    return _parsed(newest.number, newest.sha256)


@lru_cache(maxsize=64)
def _with_stickies(number: int, sha256: str, ids: tuple[UUID, ...]) -> PublishedPolicy:
    """Grants never change but to end, and one that has ended, or rests, is not asked for."""
    rows = StickyApproval.objects.select_related("granted_by").filter(pk__in=ids).order_by("pk")
    return replace(_parsed(number, sha256), stickies=tuple(row.sticky for row in rows))


def version(number: int) -> PublishedPolicy:
    """One published version; raises `PolicyUnknown`."""
    sha256 = (
        PolicyVersion.objects.published()
        .filter(number=number)
        .values_list("sha256", flat=True)
        .first()
    )
    if sha256 is None:
        raise PolicyUnknown(number)
    return _parsed(number, sha256)


@lru_cache(maxsize=64)
def _parsed(number: int, sha256: str) -> PublishedPolicy:
    document = (
        PolicyVersion.objects.published().values_list("document", flat=True).get(number=number)
    )
    if document_digest(document) != sha256:
        raise PolicyUnreadable(number)
    try:
        return PublishedPolicy(number, sha256, load(document))
    except Refusal as error:
        raise PolicyUnreadable(number) from error


def shipped() -> Policy:
    """The default policy with this installation's settings."""
    config = settings.COUNTERSIGN
    return default_policy(
        undo_seconds=config.undo_seconds,
        thresholds=shipped_thresholds(config.threshold, config.threshold_high),
        review_hours=config.review_hours,
        calendar=config.calendar,
    )


def _publish_shipped() -> PublishedPolicy:
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two processes may meet a fresh database at once; the second finds the first's version.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_FIRST_POLICY_LOCK])
        if not PolicyVersion.objects.published().exists():
            policy = shipped()
            require_calendars(policy)
            sha256 = policy.digest()
            PolicyVersion.objects.create(
                number=1,
                document=policy.document(),
                sha256=sha256,
                state=PolicyVersion.State.PUBLISHED,
                why="The policy as shipped.",
                published_at=Now(),
            )
            record(
                type="policy.published",
                actor=Actor.system("shipped-policy"),
                stream="policy",
                policy=PolicyRef(version=1, sha256=sha256),
            )
    return current()
