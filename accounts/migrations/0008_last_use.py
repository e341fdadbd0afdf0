"""When each browser in which somebody is signed in was used last. A stable default: no table is rewritten."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_keys")]

    operations = [
        migrations.AddField("signedin", "last_used_at", models.DateTimeField(db_default=Now())),
    ]
