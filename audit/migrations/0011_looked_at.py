from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0010_successors"),
    ]

    operations = [
        migrations.AddField(
            model_name="verification",
            name="looked_at",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
    ]
