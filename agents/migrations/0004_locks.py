from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("agents", "0003_durability")]

    operations = [
        migrations.AddIndex(
            model_name="resourceclaim",
            index=models.Index(
                fields=["run"], condition=Q(held=False), name="resource_claim_waiting"
            ),
        ),
    ]
