"""The auditor's addresses."""

from django.urls import path

from audit import views

urlpatterns = [
    path("audit/", views.audit_list, name="audit-list"),
    path("audit/events/<uuid:pk>/", views.audit_event, name="audit-event"),
    path("audit/exports/", views.export_list, name="audit-export-list"),
    path("audit/exports/ask/", views.export_ask, name="audit-export-ask"),
    path("audit/exports/<uuid:pk>/", views.export_detail, name="audit-export"),
    path("audit/exports/<uuid:pk>/download/", views.export_download, name="audit-export-download"),
]
