"""Keys of one's own, and the browsers in which somebody is signed in."""

from importlib import import_module
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import migrations, models
from django.db.models.functions import Now


def note_open_sessions(apps: Any, schema_editor: Any) -> None:
    """Who is signed in already can be signed out from elsewhere too."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    here = schema_editor.connection.alias
    people = set(
        apps.get_model("accounts", "User").objects.using(here).values_list("pk", flat=True)
    )
    signed_in = apps.get_model("accounts", "SignedIn").objects.using(here)
    sessions = apps.get_model("sessions", "Session").objects.using(here)
    for session in sessions.filter(expire_date__gt=Now()).iterator():
        whose = str(store.decode(session.session_data).get(SESSION_KEY, ""))
        if whose.isdigit() and int(whose) in people:
            signed_in.create(
                session_id=session.pk, user_id=int(whose), device="A browser of before"
            )


class Migration(migrations.Migration):
    dependencies = [
        ("sessions", "0001_initial"),
        ("accounts", "0006_languages"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="keymap",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                editable=False,
            ),
        ),
        migrations.CreateModel(
            name="SignedIn",
            fields=[
                (
                    "session",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="signed_in",
                        serialize=False,
                        to="sessions.session",
                    ),
                ),
                ("device", models.CharField(max_length=40)),
                ("began_at", models.DateTimeField(db_default=Now())),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="signed_in_browsers",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.RunPython(note_open_sessions, migrations.RunPython.noop),
    ]
