"""The insights app: offers the list of runs what its figures stand for."""

from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "insights"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models may be imported only once the app registry is filled.
        from agents.narrowings import provide_narrowings
        from insights.narrowing import NARROWINGS

        provide_narrowings(NARROWINGS)
