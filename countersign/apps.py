"""The app that puts the others together."""

from django.apps import AppConfig


class CountersignConfig(AppConfig):
    """Registers the house's management commands and system checks, and who collects spans."""

    name = "countersign"

    def ready(self) -> None:
        # Importing it registers the checks.
        from countersign import checks  # noqa: F401
        from countersign.health import say_fault_points
        from countersign.otlp_environment import is_wanted

        if is_wanted():
            # Where nobody wants spans, what makes and sends them is not even loaded.
            from audit.tracing import collect_by
            from countersign.telemetry import start

            collect_by(start)
        say_fault_points()
