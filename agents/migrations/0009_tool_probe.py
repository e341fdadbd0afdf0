from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0008_undo")]

    operations = [
        migrations.AddField(
            model_name="toolhealth", name="probe", field=models.UUIDField(blank=True, null=True)
        ),
    ]
