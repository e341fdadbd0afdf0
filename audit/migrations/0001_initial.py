"""The log's tables, and the lines that PostgreSQL holds by itself."""

from pathlib import Path

import django.db.models.deletion
import uuid6
from django.db import migrations, models

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.RunSQL(
            (SQL / "0001_tables.sql").read_text(),
            reverse_sql=migrations.RunSQL.noop,
            state_operations=[
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("body", models.BinaryField()),
                        ("leaf_hash", models.BinaryField()),
                        ("stream", models.TextField()),
                        ("seq", models.BigIntegerField()),
                        ("prev", models.BinaryField(null=True)),
                        ("type", models.TextField()),
                        ("actor_kind", models.TextField()),
                        ("actor_id", models.TextField()),
                        ("agent", models.TextField(null=True)),
                        ("run", models.UUIDField(null=True)),
                        ("request", models.UUIDField(null=True)),
                        ("tool", models.TextField(null=True)),
                        ("occurred_at", models.DateTimeField()),
                        ("inserted_at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="Stream",
                    fields=[
                        ("name", models.TextField(primary_key=True, serialize=False)),
                        ("seq", models.BigIntegerField(default=0)),
                        ("head", models.BinaryField(null=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="Pending",
                    fields=[
                        ("event", models.UUIDField(primary_key=True, serialize=False)),
                        ("inserted_at", models.DateTimeField()),
                        ("leaf_hash", models.BinaryField()),
                    ],
                ),
                migrations.CreateModel(
                    name="SubjectKey",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=uuid6.uuid7, primary_key=True, serialize=False
                            ),
                        ),
                        ("subject", models.TextField()),
                        ("wrapped", models.BinaryField()),
                        ("wrapped_by", models.TextField()),
                        ("created_at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="Disclosure",
                    fields=[
                        ("digest", models.TextField(primary_key=True, serialize=False)),
                        ("event", models.UUIDField()),
                        ("name", models.TextField()),
                        (
                            "key",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                to="audit.subjectkey",
                            ),
                        ),
                        ("ciphertext", models.BinaryField()),
                    ],
                ),
            ],
        ),
        migrations.RunSQL(
            (SQL / "0002_protection.sql").read_text(), reverse_sql=migrations.RunSQL.noop
        ),
    ]
