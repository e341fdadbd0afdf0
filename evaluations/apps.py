"""The evaluations app: suites of scenarios, played through the engine."""

from django.apps import AppConfig


class EvaluationsConfig(AppConfig):
    name = "evaluations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models may be imported only once the app registry is filled.
        from agents import simulation_ports
        from evaluations.scripts import CaseScripts

        simulation_ports.install(CaseScripts())
