"""The app that puts the others together."""

from django.apps import AppConfig


class CountersignConfig(AppConfig):
    """Registers the house's management commands and system checks."""

    name = "countersign"

    def ready(self) -> None:
        # Importing it registers the checks.
        from countersign import checks  # noqa: F401
        from countersign.health import say_fault_points

        say_fault_points()
