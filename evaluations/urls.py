"""Addresses of the evaluations pages."""

from django.urls import path

from evaluations import views

urlpatterns = [
    path("evaluations/", views.evaluation_list, name="evaluation-list"),
    path("evaluations/<uuid:pk>/", views.evaluation_detail, name="evaluation-detail"),
    path("evaluations/cases/", views.case_list, name="evaluation-cases"),
    path("evaluations/cases/<uuid:pk>/", views.case_edit, name="evaluation-case"),
    path("evaluations/cases/<uuid:pk>/delete/", views.case_delete, name="evaluation-case-delete"),
    path(
        "evaluations/suites/<slug:agent>/<slug:suite>.yaml",
        views.suite_export,
        name="evaluation-suite-export",
    ),
    path("runs/<uuid:pk>/evaluation-case/", views.case_from_run, name="run-evaluation-case"),
]
