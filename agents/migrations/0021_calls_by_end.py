"""The calls of a version by tool and by when they came to an end: one that waited counts when it is sent."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("agents", "0020_calls_by_version"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="step",
            index=models.Index(
                fields=["agent_version_id", "name", "finished_at"],
                condition=models.Q(("state__in", ["succeeded", "dispatched"])),
                name="step_sent",
            ),
        ),
        RemoveIndexConcurrently(model_name="step", name="step_called"),
    ]
