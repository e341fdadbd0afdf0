"""The auditor's addresses."""

from django.urls import path

from audit import views
from audit.views import (
    erasures,
    exceptions,
    holds,
    retention,
    samples,
    sealed_log,
    stories,
)

urlpatterns = [
    path("audit/", views.audit_list, name="audit-list"),
    path("audit/events/<uuid:pk>/", views.audit_event, name="audit-event"),
    path("audit/exports/", views.export_list, name="audit-export-list"),
    path("audit/exports/ask/", views.export_ask, name="audit-export-ask"),
    path("audit/exports/<uuid:pk>/", views.export_detail, name="audit-export"),
    path("audit/exports/<uuid:pk>/download/", views.export_download, name="audit-export-download"),
    path("audit/runs/<uuid:pk>/", stories.run_story, name="audit-run-story"),
    path("audit/requests/<uuid:pk>/", stories.request_story, name="audit-request-story"),
    path("audit/log/", sealed_log.log_detail, name="audit-log"),
    path("audit/log/verify/", sealed_log.verify_ask, name="audit-verify"),
    path("audit/log/checks/<uuid:pk>/", sealed_log.verification, name="audit-verification"),
    path("audit/exceptions/", exceptions.exceptions, name="audit-exceptions"),
    path("audit/samples/", samples.sample_list, name="audit-sample-list"),
    path("audit/samples/<uuid:pk>/", samples.sample_detail, name="audit-sample"),
    path(
        "audit/samples/<uuid:pk>/download/", samples.sample_download, name="audit-sample-download"
    ),
    path("audit/holds/", holds.hold_list, name="audit-hold-list"),
    path("audit/holds/<uuid:pk>/lift/", holds.hold_lift, name="audit-hold-lift"),
    path("audit/retention/", retention.retention, name="audit-retention"),
    path("audit/erasures/", erasures.erasure_list, name="audit-erasure-list"),
    path("audit/erasures/<uuid:pk>/", erasures.erasure_detail, name="audit-erasure"),
]
