"""The sealed log: leaves, tiles, checkpoints, keys."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_export"),
    ]

    operations = [
        migrations.RunSQL(
            (SQL / "0003_sealing.sql").read_text(),
            reverse_sql=migrations.RunSQL.noop,
            state_operations=[
                migrations.AddField(
                    model_name="pending",
                    name="place",
                    field=models.BigIntegerField(),
                    preserve_default=False,
                ),
                migrations.CreateModel(
                    name="Log",
                    fields=[
                        ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("origin", models.TextField(unique=True)),
                        ("first_size", models.BigIntegerField()),
                        ("former", models.TextField(default="")),
                        ("began_at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="LogKey",
                    fields=[
                        ("verifier", models.TextField(primary_key=True, serialize=False)),
                        ("added_at", models.DateTimeField()),
                        ("added_size", models.BigIntegerField()),
                        ("retired_at", models.DateTimeField(null=True)),
                        ("retired_size", models.BigIntegerField(null=True)),
                        (
                            "log",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="keys",
                                to="audit.log",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Leaf",
                    fields=[
                        ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("event", models.UUIDField(unique=True)),
                        ("event_inserted_at", models.DateTimeField()),
                        ("leaf_hash", models.BinaryField()),
                    ],
                ),
                migrations.CreateModel(
                    name="Tile",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "level",
                                "n",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("level", models.SmallIntegerField()),
                        ("n", models.BigIntegerField()),
                        ("data", models.BinaryField()),
                    ],
                ),
                migrations.CreateModel(
                    name="TreeState",
                    fields=[
                        ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                        ("size", models.BigIntegerField()),
                        ("root", models.BinaryField()),
                        ("sealed_at", models.DateTimeField(null=True)),
                        ("halted_at", models.DateTimeField(null=True)),
                        ("halted_because", models.TextField(default="")),
                        ("trouble", models.TextField(default="")),
                    ],
                ),
                migrations.CreateModel(
                    name="Checkpoint",
                    fields=[
                        ("size", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("root", models.BinaryField()),
                        ("note", models.TextField()),
                        ("signed_at", models.DateTimeField()),
                        (
                            "log",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                to="audit.log",
                            ),
                        ),
                    ],
                ),
            ],
        ),
    ]
