from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0005_chips"),
    ]

    operations = [
        migrations.AddField(
            model_name="approvalrequest",
            name="score_notes",
            field=models.JSONField(
                blank=True, db_default=models.Value({}, models.JSONField()), default=dict
            ),
        ),
    ]
