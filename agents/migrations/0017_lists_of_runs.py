"""Runs of one person or agent in the order of lists, told by the index alone; made and dropped beside the work."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("agents", "0016_run_ended_at"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                fields=["initiator", "-created_at", "-id"], name="run_of_initiator_newest"
            ),
        ),
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(fields=["agent", "-created_at", "-id"], name="run_of_agent_newest"),
        ),
        RemoveIndexConcurrently(model_name="run", name="run_of_initiator"),
        RemoveIndexConcurrently(model_name="run", name="run_of_agent"),
    ]
