"""Who is still to be mailed about: only what waits; made beside the work."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("approvals", "0014_fill_listing"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                fields=["mail_due_at"],
                condition=models.Q(("mail_due_at__isnull", False), ("state", "pending")),
                name="approvals_req_unmailed",
            ),
        ),
        RemoveIndexConcurrently(
            model_name="approvalrequest",
            name="approvals_req_mail_due",
        ),
    ]
