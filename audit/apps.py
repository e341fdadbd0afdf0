"""The audit app's configuration."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from audit.protection import grant_after_migrations


class AuditConfig(AppConfig):
    """After migrations, every login has the rights that it needs and no more."""

    name = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        post_migrate.connect(
            grant_after_migrations, sender=self, dispatch_uid="audit.grant_after_migrations"
        )
