"""The approvals app."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """May it happen."""

    name = "approvals"
    verbose_name = "Approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models may be imported only once the app registry is filled.
        from approvals.documents import RequestDocuments
        from approvals.ledgers import Policies, Requests, Votes
        from approvals.services.calendars import titles_of
        from audit.document_ports import provide_documents
        from audit.naming import name_with
        from audit.ports import reconcile_with

        provide_documents(RequestDocuments())
        reconcile_with(Requests())
        reconcile_with(Votes())
        reconcile_with(Policies())
        name_with("calendar", titles_of)
