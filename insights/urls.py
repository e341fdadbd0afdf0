"""Addresses of the insights pages."""

from django.urls import path

from insights import views

urlpatterns = [
    path("insights/", views.insights, name="insights"),
    path("insights/figures.csv", views.insights_csv, name="insights-csv"),
    path("insights/alerts/<slug:slug>/", views.agent_alerts, name="agent-alerts"),
    path("runs/<uuid:pk>/failure/", views.run_failure, name="run-failure"),
]
