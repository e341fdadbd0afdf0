"""Requests: one row for everything that waits for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid6 import uuid7

from approvals.calendars import Calendar, as_stored
from approvals.models.words import ApprovalRequestQuerySet
from approvals.schemas import Confidence, GateContext, Preview, Requirements
from approvals.states import RequestState
from approvals.vocabulary import Effect, Kind, Risk, is_consequential


class ApprovalRequest(models.Model):
    """What waits for people: one action, question, or other kind of `vocabulary.Kind`.

    `revision` changes when what is to be decided changes, and voids votes; `version` with anything
    visible. `checked_version` is the newest policy that it was judged by; `policy_version` the one that it is
    decided under. `shown_sha256` is the digest of what people are shown, which is kept with the revision;
    it stands in every decision. Spans are seconds, confidence is in basis points (0 to 10,000).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=[(k.value, k.value) for k in Kind])
    state = models.CharField(
        max_length=12,
        choices=[(s.value, s.value) for s in RequestState],
        default=RequestState.PENDING.value,
    )
    version = models.PositiveIntegerField(default=1)
    revision = models.PositiveIntegerField(default=1)

    run_id = models.UUIDField(null=True, blank=True)
    step_seq = models.PositiveIntegerField(null=True, blank=True)
    effect_id = models.UUIDField(null=True, blank=True)
    agent = models.CharField(max_length=100)
    agent_title = models.CharField(max_length=200, blank=True)
    agent_version = models.CharField(max_length=100)
    owner_group = models.ForeignKey(
        "accounts.ReviewGroup", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    initiator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    title = models.CharField(max_length=500)
    tool = models.CharField(max_length=100, blank=True)
    tool_version = models.CharField(max_length=100, blank=True)
    arguments = models.JSONField(default=dict)
    digest = models.CharField(max_length=71)
    schema = models.JSONField(default=dict)
    sensitive = models.JSONField(default=list)
    cosmetic = models.JSONField(default=list)
    #: Values of sensitive arguments in the run until then, which this request may repeat.
    withheld = models.JSONField(default=list, db_default=[])
    preview = models.JSONField(default=dict)
    risk = models.CharField(max_length=10, choices=[(r.value, r.value) for r in Risk])
    risk_rank = models.PositiveSmallIntegerField()
    effects = models.JSONField(default=list)
    reversible = models.BooleanField(default=True)

    confidence_bp = models.PositiveSmallIntegerField(null=True, blank=True)
    score_source = models.CharField(max_length=20, blank=True)
    score_version = models.CharField(max_length=40, blank=True)
    calibrated_bp = models.PositiveSmallIntegerField(null=True, blank=True)
    signals = models.JSONField(default=dict)
    score_notes = models.JSONField(
        default=dict, blank=True, db_default=models.Value({}, models.JSONField())
    )
    threshold_bp = models.PositiveSmallIntegerField(null=True, blank=True)
    score_visible = models.BooleanField(default=True)
    coin = models.FloatField(null=True, blank=True)
    coin_rate = models.FloatField(null=True, blank=True)
    propensity = models.FloatField(null=True, blank=True)
    is_sample = models.BooleanField(default=False)
    route = models.CharField(max_length=200, blank=True)

    rationale = models.TextField(blank=True)
    evidence = models.JSONField(default=list)
    tainted = models.BooleanField(default=False)
    tainted_by = models.JSONField(default=list)
    gate_context = models.JSONField(null=True, blank=True)
    reasons = models.JSONField(default=list)
    requirements = models.JSONField(default=dict)
    policy_version = models.PositiveIntegerField(default=0)
    policy_sha256 = models.CharField(max_length=71, blank=True)
    checked_version = models.PositiveIntegerField(default=0, db_default=0)
    rule = models.CharField(max_length=200, blank=True)

    shown_sha256 = models.CharField(max_length=71)
    question = models.JSONField(null=True, blank=True)

    review_deadline = models.DateTimeField(null=True, blank=True)
    calendar = models.JSONField(null=True, blank=True)
    extended_hours = models.PositiveIntegerField(default=0)
    escalation_level = models.PositiveSmallIntegerField(default=0)
    execute_by = models.DateTimeField(null=True, blank=True)
    undo_seconds = models.FloatField(default=0)
    ready_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    remind_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)

    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolution = models.JSONField(null=True, blank=True)
    feedback = models.TextField(blank=True)
    barred_editor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    claim_expires_at = models.DateTimeField(null=True, blank=True)
    superseded_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="supersedes"
    )

    groups = models.ManyToManyField(
        "accounts.ReviewGroup", through="RequestGroup", related_name="+"
    )

    objects = ApprovalRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in RequestState]),
                name="approvals_request_state",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[k.value for k in Kind]), name="approvals_request_kind"
            ),
            models.CheckConstraint(
                condition=Q(risk__in=[r.value for r in Risk]), name="approvals_request_risk"
            ),
            models.CheckConstraint(
                condition=Q(revision__gte=1, version__gte=1), name="approvals_request_counts_from_1"
            ),
            models.CheckConstraint(
                condition=Q(digest__regex=r"^sha256:[0-9a-f]{64}$")
                & Q(shown_sha256__regex=r"^sha256:[0-9a-f]{64}$"),
                name="approvals_request_digests",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "consumed"])
                | Q(decided_at__isnull=False, decided_by__isnull=False, ready_at__isnull=False),
                name="approvals_request_approved_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="pending") | Q(ready_at__isnull=True, decided_at__isnull=True),
                name="approvals_request_pending_undecided",
            ),
            models.CheckConstraint(
                condition=(Q(confidence_bp__isnull=True) | Q(confidence_bp__lte=10_000))
                & (Q(calibrated_bp__isnull=True) | Q(calibrated_bp__lte=10_000))
                & (Q(threshold_bp__isnull=True) | Q(threshold_bp__lte=10_000)),
                name="approvals_request_basis_points",
            ),
            models.CheckConstraint(
                condition=Q(claimed_by__isnull=True, claim_expires_at__isnull=True)
                | Q(claimed_by__isnull=False, claim_expires_at__isnull=False),
                name="approvals_request_claim_is_leased",
            ),
        ]
        indexes = [
            models.Index(
                # As lists of what waits are ordered: `ApprovalRequestQuerySet.by_deadline`.
                # The columns after the key are what lists are filtered by: they are told by the index alone.
                fields=[
                    *("review_deadline", "-risk_rank", "id"),
                    *("agent", "tool", "kind", "created_at"),
                ],
                condition=Q(state="pending"),
                name="approvals_req_pending",
            ),
            models.Index(
                fields=["checked_version"],
                condition=Q(state="pending", kind="action"),
                name="approvals_req_checked",
            ),
            models.Index(
                # As lists of what was decided are ordered: `ApprovalRequestQuerySet.last_decided_first`.
                # With what they are filtered by.
                F("decided_at").desc(nulls_last=True),
                F("id").desc(),
                *("risk_rank", "agent", "tool", "kind"),
                condition=~Q(state="pending"),
                name="approvals_req_decided",
            ),
            models.Index(
                # What was decided on calls like one, the newest first.
                F("agent"),
                F("tool"),
                F("decided_at").desc(nulls_last=True),
                F("id").desc(),
                condition=~Q(state="pending"),
                name="approvals_req_like",
            ),
            models.Index(fields=["run_id"], name="approvals_req_run"),
            models.Index(
                fields=["execute_by"],
                condition=Q(state="approved"),
                name="approvals_req_execute_by",
            ),
            models.Index(
                fields=["remind_at"],
                condition=Q(state="pending", remind_at__isnull=False),
                name="approvals_req_remind",
            ),
            models.Index(
                fields=["claim_expires_at"],
                condition=Q(claimed_by__isnull=False),
                name="approvals_req_claims",
            ),
            models.Index(fields=["-created_at", "-id"], name="approvals_req_newest"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def needs(self) -> Requirements:
        """What it takes, typed."""
        return Requirements.model_validate(self.requirements)

    @property
    def counts_by(self) -> Calendar | None:
        """The calendar whose hours count for the deadline; None for every hour."""
        return as_stored(orjson.dumps(self.calendar)) if self.calendar else None

    @property
    def what(self) -> Preview:
        """What would happen, typed."""
        return Preview.model_validate(self.preview)

    @property
    def confidence(self) -> Confidence:
        """The scores as the gate had them."""
        return Confidence.model_validate(
            {
                "raw_bp": self.confidence_bp,
                "source": self.score_source or "none",
                "version": self.score_version or "1",
                "calibrated_bp": self.calibrated_bp,
                "signals": self.signals,
                "notes": self.score_notes,
            }
        )

    @property
    def context(self) -> GateContext | None:
        """What else the gate looked at; None for kinds that do not pass it."""
        return GateContext.model_validate(self.gate_context) if self.gate_context else None

    @property
    def shown_document(self) -> dict[str, Any]:
        """The document that the reviewer is shown."""
        return self.revisions.get(revision=self.revision).document

    @property
    def is_consequential(self) -> bool:
        """Medium risk and above, or any effect."""
        return is_consequential(Risk(self.risk), frozenset(Effect(e) for e in self.effects))

    @property
    def awaits_verdict(self) -> bool:
        """Whether people are still to decide it: an approval may be taken back until it is used."""
        return RequestState(self.state).is_open

    @property
    def is_score_revealed(self) -> bool:
        """Whether people may see score and sample status: at once, or after the verdict."""
        return self.score_visible or not self.awaits_verdict

    @property
    def reason_label(self) -> str:
        """The reason that was picked with the verdict that closed it, as it read then."""
        data = (self.resolution or {}).get("data") or {}
        return str(data.get("reason_label") or "")

    @property
    def undo_window(self) -> timedelta:
        """How long an approval waits before it may be used."""
        return timedelta(seconds=self.undo_seconds)
