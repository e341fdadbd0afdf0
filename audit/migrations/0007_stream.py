"""How far each sink has been given the sealed log."""

import uuid6
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0006_verifications"),
    ]

    operations = [
        migrations.CreateModel(
            name="SinkCursor",
            fields=[
                ("attempts", models.PositiveIntegerField(default=0)),
                ("retry_at", models.DateTimeField(null=True)),
                ("failing_since", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("told", models.BooleanField(default=False)),
                ("name", models.CharField(max_length=63, primary_key=True, serialize=False)),
                ("next", models.BigIntegerField()),
                ("until", models.BigIntegerField()),
                ("size", models.BigIntegerField(default=0)),
                ("series", models.UUIDField(default=uuid6.uuid7)),
                ("declared_at", models.DateTimeField()),
                ("delivered_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "audit_sink",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("next__gte", 0), ("until__gte", models.F("next"))),
                        name="audit_sink_goes_forward",
                    )
                ],
            },
        ),
    ]
