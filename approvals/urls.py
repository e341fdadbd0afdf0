"""Addresses of the inbox, of requests and of policies."""

from django.urls import path

from approvals.views import inbox, policies, reason_chips, requests

urlpatterns = [
    path("", inbox.inbox, name="home"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/rows/", inbox.inbox_rows, name="inbox-rows"),
    path("inbox/counts/", inbox.inbox_counts, name="inbox-counts"),
    path("requests/<uuid:pk>/", requests.request_detail, name="request-detail"),
    path("requests/<uuid:pk>/decide/", requests.request_decide, name="request-decide"),
    path("requests/<uuid:pk>/undo/", requests.request_undo, name="request-undo"),
    path("requests/<uuid:pk>/claim/", requests.request_claim, name="request-claim"),
    path("requests/<uuid:pk>/extend/", requests.request_extend, name="request-extend"),
    path("requests/<uuid:pk>/comments/", requests.request_comment, name="request-comment"),
    path("policies/", policies.policy_thresholds, name="policy-thresholds"),
    path("policies/<int:number>/", policies.policy_version, name="policy-version"),
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
