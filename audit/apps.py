"""The audit app's configuration."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate

from audit.protection import grant_after_migrations, open_new_tables


class AuditConfig(AppConfig):
    """Around migrations, every login gets the rights that it needs and no more."""

    name = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        pre_migrate.connect(open_new_tables, sender=self, dispatch_uid="audit.open_new_tables")
        post_migrate.connect(
            grant_after_migrations, sender=self, dispatch_uid="audit.grant_after_migrations"
        )
