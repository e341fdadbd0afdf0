from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Made beside the work of others: a million runs are read for it.
    atomic = False

    dependencies = [
        ("agents", "0015_simulated_runs"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                fields=["finished_at", "id"],
                condition=models.Q(finished_at__isnull=False),
                name="run_ended_at",
            ),
        ),
    ]
