"""The calls of a version by tool and time; made beside the work."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("agents", "0019_calls_of_a_version"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="step",
            index=models.Index(
                fields=["agent_version_id", "name", "started_at"],
                condition=models.Q(("state__in", ["succeeded", "dispatched"])),
                name="step_called",
            ),
        ),
    ]
