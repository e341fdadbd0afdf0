"""The agents app: finds declared agents and fills in what approvals asks of runs."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models may be imported only once the app registry is filled.
        from agents import checks, receivers, registry  # noqa: F401
        from agents.documents import RunDocuments
        from agents.hosted import titles_of
        from agents.ledger import Effects
        from agents.subject import HostedRuns
        from agents.wording.texts import titles_of_tools
        from approvals import ports
        from audit.document_ports import provide_documents
        from audit.naming import name_with
        from audit.ports import reconcile_with

        registry.discover()
        ports.install(HostedRuns())
        provide_documents(RunDocuments())
        reconcile_with(Effects())
        name_with("agent", titles_of)
        name_with("tool", titles_of_tools)
