"""Witnesses of the log, and what they signed."""

import django.db.models.deletion
from django.db import migrations, models

# What a witness signed is only added to, as the checkpoints are.
APPEND_ONLY = """
CREATE TRIGGER audit_cosignature_append_only BEFORE UPDATE OR DELETE ON audit_cosignature
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
ALTER TABLE audit_cosignature ENABLE ALWAYS TRIGGER audit_cosignature_append_only;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0007_stream"),
    ]

    operations = [
        migrations.CreateModel(
            name="WitnessState",
            fields=[
                ("attempts", models.PositiveIntegerField(default=0)),
                ("retry_at", models.DateTimeField(null=True)),
                ("failing_since", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("told", models.BooleanField(default=False)),
                ("name", models.CharField(max_length=63, primary_key=True, serialize=False)),
                ("key", models.TextField()),
                ("origin", models.TextField(default="")),
                ("size", models.BigIntegerField(default=0)),
                ("cosigned_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "audit_witness",
            },
        ),
        migrations.CreateModel(
            name="Cosignature",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.TextField()),
                ("line", models.TextField()),
                ("cosigned_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                (
                    "checkpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cosignatures",
                        to="audit.checkpoint",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("checkpoint", "key"), name="audit_cosignature_once_a_key"
                    )
                ],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, reverse_sql=migrations.RunSQL.noop),
    ]
