"""Django's admin shows how requests, votes and policies stand and changes none of them.

Arguments and what people were shown do not stand here: who may see them is decided on the product's own pages.
"""

from __future__ import annotations

from django.contrib import admin

from approvals.models import ApprovalRequest, PolicyVersion, Vote
from audit.admin import ReadOnlyAdmin


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "state", "agent", "tool", "risk", "created_at")
    fields = (
        *("kind", "state", "revision", "agent", "agent_version", "tool", "risk", "digest"),
        *("shown_sha256", "policy_version", "review_deadline", "decided_by", "decided_at"),
    )


@admin.register(Vote)
class VoteAdmin(ReadOnlyAdmin):
    list_display = ("id", "request_id", "user", "verdict", "counts", "created_at")
    fields = (
        *("request_id", "revision", "user", "auth", "verdict", "counts", "voided_at"),
        *("digest", "shown_sha256"),
    )
    readonly_fields = ("request_id",)


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ReadOnlyAdmin):
    list_display = ("id", "number", "state", "author", "published_by", "published_at")
