"""The audit app's configuration."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Installs nothing by itself; grants are applied after migrations."""

    name = "audit"
    verbose_name = "Audit"
