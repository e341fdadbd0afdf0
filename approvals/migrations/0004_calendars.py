"""Working calendars, reminders at half of the working time, votes on behalf of somebody."""

from typing import Any

import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models
from django.db.models import F

WORKING_WEEK = {
    "slug": "working-week",
    "title": "Working week",
    "timezone": "UTC",
    "hours": {
        day: ["09:00-17:00"] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")
    },
    "holidays": [],
}


def ship_working_week(apps: Any, schema_editor: Any) -> None:
    """The calendar that the policy as shipped counts by."""
    calendars = apps.get_model("approvals", "WorkingCalendar").objects
    calendars.using(schema_editor.connection.alias).create(
        slug=WORKING_WEEK["slug"], title=WORKING_WEEK["title"], document=WORKING_WEEK
    )


def remind_at_half_time(apps: Any, schema_editor: Any) -> None:
    """What waits already is counted around the clock, as it was when it was opened."""
    requests = apps.get_model("approvals", "ApprovalRequest").objects
    waiting = requests.using(schema_editor.connection.alias).filter(
        state="pending", reminded_at=None, review_deadline__isnull=False
    )
    waiting.exclude(requirements__reminder=False).update(
        remind_at=F("created_at") + (F("review_deadline") - F("created_at")) / 2
    )


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_stand_ins"),
        ("approvals", "0003_policy_drafts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="WorkingCalendar",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=64, unique=True)),
                ("title", models.CharField(max_length=80)),
                ("document", models.JSONField()),
                (
                    "changed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "ordering": ["title", "slug"],
            },
        ),
        migrations.AddField(
            model_name="approvalrequest",
            name="calendar",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="approvalrequest",
            name="remind_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="vote",
            name="on_behalf_of",
            field=models.JSONField(default=list),
        ),
        migrations.RunPython(ship_working_week, migrations.RunPython.noop),
        migrations.RunPython(remind_at_half_time, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("remind_at__isnull", False), ("state", "pending")),
                fields=["remind_at"],
                name="approvals_req_remind",
            ),
        ),
    ]
