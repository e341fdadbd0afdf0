from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0009_delegate"),
    ]

    operations = [
        migrations.AddField(
            model_name="hostedagent",
            name="limits_set_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="step",
            index=models.Index(
                condition=models.Q(("kind", "budget"), ("state", "waiting")),
                fields=["started_at"],
                name="step_at_limit",
            ),
        ),
    ]
