"""What auditors work with: exceptions by an index, legal holds, erasures by two, retention, samples."""

from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid6
from django.db import migrations, models

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_sealing"),
    ]

    operations = [
        migrations.RunSQL(
            (SQL / "0004_auditors.sql").read_text(),
            reverse_sql=migrations.RunSQL.noop,
            state_operations=[
                migrations.CreateModel(
                    name="Retired",
                    fields=[
                        ("partition", models.TextField(primary_key=True, serialize=False)),
                        ("since", models.DateTimeField()),
                        ("until", models.DateTimeField()),
                        ("events", models.BigIntegerField()),
                        ("leaves_sha256", models.BinaryField()),
                        ("dropped_at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="RetiredStream",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        (
                            "partition",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                to="audit.retired",
                            ),
                        ),
                        ("stream", models.TextField()),
                        ("first_seq", models.BigIntegerField()),
                        ("last_seq", models.BigIntegerField()),
                        ("prev", models.BinaryField(null=True)),
                        ("head", models.BinaryField()),
                    ],
                ),
            ],
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.UUIDField(default=uuid6.uuid7, primary_key=True, serialize=False)),
                ("subject", models.CharField(max_length=200)),
                (
                    "reason_code",
                    models.CharField(
                        choices=[
                            ("asked", "The person it is about asked for it"),
                            ("not_needed", "It is not needed any more"),
                            ("mistake", "It should not have been recorded"),
                            ("ordered", "A court or an authority ordered it"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "waits for a second person"),
                            ("confirmed", "erased"),
                            ("declined", "declined"),
                        ],
                        default="proposed",
                        max_length=10,
                    ),
                ),
                ("proposed_by", models.TextField()),
                ("proposed_at", models.DateTimeField()),
                ("decided_by", models.TextField(blank=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("disclosures", models.BigIntegerField(default=0)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-proposed_at", "-id"], name="audit_erasure_newest")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["proposed", "confirmed", "declined"])),
                        name="audit_erasure_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "confirmed"), _negated=True),
                            models.Q(
                                models.Q(("decided_by", ""), _negated=True),
                                models.Q(("decided_by", models.F("proposed_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="audit_erasure_takes_two",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "proposed")),
                        fields=("subject",),
                        name="audit_erasure_open_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.UUIDField(default=uuid6.uuid7, primary_key=True, serialize=False)),
                ("matter", models.CharField(max_length=100)),
                ("why", models.TextField()),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("everything", "everything"),
                            ("person", "a person"),
                            ("agent", "an agent"),
                            ("run", "a run"),
                            ("request", "a request"),
                        ],
                        max_length=10,
                    ),
                ),
                ("target", models.CharField(blank=True, max_length=150)),
                ("since", models.DateTimeField(blank=True, null=True)),
                ("until", models.DateTimeField(blank=True, null=True)),
                ("set_by", models.TextField()),
                ("set_at", models.DateTimeField()),
                ("lifted_by", models.TextField(blank=True)),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["-set_at", "-id"], name="audit_hold_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("scope", "everything"), ("target", "")),
                            models.Q(
                                models.Q(("scope", "everything"), _negated=True),
                                models.Q(("target", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="audit_hold_names_what_it_covers",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lifted_at", None), ("lifted_by", "")),
                            models.Q(
                                ("lifted_at__isnull", False),
                                models.Q(("lifted_by", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="audit_hold_lifted_by_somebody",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Sample",
            fields=[
                ("id", models.UUIDField(default=uuid6.uuid7, primary_key=True, serialize=False)),
                ("drawn_by", models.TextField()),
                ("filters", models.JSONField(default=dict)),
                ("until", models.DateTimeField()),
                ("seed", models.CharField(max_length=64)),
                ("size", models.PositiveIntegerField()),
                ("population", models.BigIntegerField()),
                (
                    "chosen",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), default=list, size=None
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-created_at", "-id"], name="audit_sample_newest")
                ],
            },
        ),
    ]
