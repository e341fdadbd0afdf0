"""The approvals app."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """May it happen."""

    name = "approvals"
    verbose_name = "Approvals"
    default_auto_field = "django.db.models.BigAutoField"
