from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DemoConfig(AppConfig):
    name = "demo"
    verbose_name = "Demo shop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # What checks the data-steward's login; importing it registers the check.
        from demo.steward import checks  # noqa: F401
        from demo.steward.grants import let_in

        post_migrate.connect(let_in, sender=self, dispatch_uid="demo.steward.let_in")
