from django.apps import AppConfig
from django.db.models.signals import post_migrate

from audit.naming import name_with
from audit.ports import raise_alarms_with


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import browsers, signins
        from accounts.alarms import mail_admins
        from accounts.group_titles import titles_of
        from accounts.roles import sync_roles, titles_of_roles

        post_migrate.connect(sync_roles, sender=self, dispatch_uid="accounts.sync_roles")
        signins.connect()
        browsers.connect()
        raise_alarms_with(mail_admins)
        name_with("group", titles_of)
        name_with("role", titles_of_roles)
