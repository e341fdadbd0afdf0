from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="cancel_request",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
