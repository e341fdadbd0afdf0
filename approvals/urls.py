"""Addresses of the inbox, of requests and of policies."""

from django.urls import path

from approvals.views import (
    access,
    batch,
    calendars,
    drafts,
    inbox,
    message,
    policies,
    presence,
    reason_chips,
    request_list,
    requests,
    rules,
    saved_views,
    scores,
    simulations,
    sticky,
    trying,
)

urlpatterns = [
    path("", inbox.inbox, name="home"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/rows/", inbox.inbox_rows, name="inbox-rows"),
    path("inbox/batch/", batch.inbox_batch, name="inbox-batch"),
    path("inbox/views/", saved_views.saved_views, name="saved-views"),
    path("inbox/views/<int:pk>/", saved_views.saved_view_change, name="saved-view-change"),
    path("inbox/counts/", inbox.inbox_counts, name="inbox-counts"),
    path("requests/", request_list.request_list, name="request-list"),
    path("requests/<uuid:pk>/", requests.request_detail, name="request-detail"),
    path("requests/<uuid:pk>/decide/", requests.request_decide, name="request-decide"),
    path("requests/<uuid:pk>/undo/", requests.request_undo, name="request-undo"),
    path("requests/<uuid:pk>/claim/", requests.request_claim, name="request-claim"),
    path("requests/<uuid:pk>/presence/", presence.request_presence, name="request-presence"),
    path("requests/<uuid:pk>/extend/", requests.request_extend, name="request-extend"),
    path("requests/<uuid:pk>/message/", message.request_message, name="request-message"),
    path("requests/<uuid:pk>/snooze/", requests.request_snooze, name="request-snooze"),
    path("requests/<uuid:pk>/comments/", requests.request_comment, name="request-comment"),
    path("audit/access/", access.access, name="audit-access"),
    path("policies/", policies.policy_thresholds, name="policy-thresholds"),
    path("policies/calendars/", calendars.calendar_list, name="calendar-list"),
    path("policies/add-calendar/", calendars.calendar_add, name="calendar-add"),
    path("policies/calendars/<slug:slug>/", calendars.calendar_detail, name="calendar-detail"),
    path(
        "policies/calendars/<slug:slug>/delete/", calendars.calendar_delete, name="calendar-delete"
    ),
    path("policies/<int:number>/", policies.policy_version, name="policy-version"),
    path("policies/<int:number>/roll-back/", policies.policy_roll_back, name="policy-roll-back"),
    path("policies/<int:number>/document.json", policies.policy_export, name="policy-export"),
    path("policies/import/", policies.policy_import, name="policy-import"),
    path("policies/drafts/", drafts.policy_draft_begin, name="policy-draft-begin"),
    path("policies/drafts/<int:pk>/", drafts.policy_draft, name="policy-draft"),
    path(
        "policies/drafts/<int:pk>/document.json",
        drafts.policy_draft_export,
        name="policy-draft-export",
    ),
    path(
        "policies/drafts/<int:pk>/durations/",
        drafts.policy_draft_durations,
        name="policy-draft-durations",
    ),
    *(
        path(
            f"policies/drafts/<int:pk>/{act}/",
            drafts.policy_draft_act,
            {"act": act},
            name=f"policy-draft-{act}",
        )
        for act in ("submit", "publish", "rebase", "withdraw")
    ),
    path("policies/drafts/<int:pk>/rules/", rules.policy_rule, name="policy-rule-new"),
    path("policies/drafts/<int:pk>/rules/<slug:name>/", rules.policy_rule, name="policy-rule"),
    path("policies/drafts/<int:pk>/baseline/", rules.policy_baseline, name="policy-baseline-new"),
    path(
        "policies/drafts/<int:pk>/baseline/<int:place>/",
        rules.policy_baseline,
        name="policy-baseline",
    ),
    path("policies/drafts/<int:pk>/scores/", scores.policy_scores, name="policy-scores"),
    path("policies/drafts/<int:pk>/try/", trying.policy_try, name="policy-try"),
    path("policies/drafts/<int:pk>/simulate/", simulations.policy_simulate, name="policy-simulate"),
    path(
        "policies/simulations/<uuid:pk>/", simulations.policy_simulation, name="policy-simulation"
    ),
    path("requests/<uuid:request_pk>/sticky/", sticky.request_sticky, name="request-sticky"),
    path("policies/sticky/", sticky.sticky_list, name="sticky-list"),
    path("policies/sticky/<uuid:sticky_pk>/revoke/", sticky.sticky_revoke, name="sticky-revoke"),
    path("policies/reasons/", reason_chips.reason_chips, name="reason-chips"),
    path("policies/reasons/<slug:code>/", reason_chips.reason_chip, name="reason-chip"),
    path(
        "policies/reasons/<slug:code>/move/",
        reason_chips.reason_chip_move,
        name="reason-chip-move",
    ),
    path(
        "policies/reasons/<slug:code>/retire/",
        reason_chips.reason_chip_retire,
        name="reason-chip-retire",
    ),
]
