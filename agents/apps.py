"""The agents app: finds declared agents and fills in what approvals asks of runs."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models may be imported only once the app registry is filled.
        from agents import checks, receivers, registry  # noqa: F401
        from agents.documents import RunDocuments
        from agents.ledger import Effects
        from agents.subject import HostedRuns
        from approvals import ports
        from audit.document_ports import provide_documents
        from audit.ports import reconcile_with

        registry.discover()
        ports.install(HostedRuns())
        provide_documents(RunDocuments())
        reconcile_with(Effects())
