"""Who is still to be mailed about stands in a table of its own; no request is written anew to say so."""

import django.db.models.deletion
from django.db import migrations, models

# In one statement, so that no request that is decided meanwhile is left in it: the lock waits for the decision.
FILL = """
INSERT INTO approvals_firstmail (request_id, due_at)
SELECT id, mail_due_at FROM approvals_approvalrequest
WHERE state IN ('pending', 'approved') AND mail_due_at IS NOT NULL FOR UPDATE
"""
TRIGGER = """
CREATE FUNCTION approvals_mail_no_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM approvals_firstmail WHERE request_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER mailed_no_more AFTER UPDATE ON approvals_approvalrequest
    FOR EACH ROW WHEN (
        OLD.state IN ('pending', 'approved') AND NEW.state NOT IN ('pending', 'approved')
    )
    EXECUTE FUNCTION approvals_mail_no_more();
"""
NO_TRIGGER = """
DROP TRIGGER mailed_no_more ON approvals_approvalrequest;
DROP FUNCTION approvals_mail_no_more();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0015_unmailed"),
    ]

    operations = [
        migrations.CreateModel(
            name="FirstMail",
            fields=[
                (
                    "request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="first_mail",
                        serialize=False,
                        to="approvals.approvalrequest",
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("taken_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["due_at"], name="approvals_firstmail_due")],
            },
        ),
        migrations.RunSQL(TRIGGER, reverse_sql=NO_TRIGGER),
        migrations.RunSQL(FILL, reverse_sql=migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name="approvalrequest", name="approvals_req_unmailed"),
        migrations.RemoveField(model_name="approvalrequest", name="notified_at"),
        migrations.RemoveField(model_name="approvalrequest", name="mail_due_at"),
    ]
