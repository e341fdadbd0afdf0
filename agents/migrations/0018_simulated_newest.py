"""Simulated runs in the order of lists; made beside the work."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("agents", "0017_lists_of_runs"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                fields=["-created_at", "-id"],
                condition=models.Q(("simulated", True)),
                name="run_simulated_newest",
            ),
        ),
    ]
