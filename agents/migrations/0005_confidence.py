from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0004_judged_steps"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="step",
            name="step_state_known",
        ),
        migrations.AlterField(
            model_name="step",
            name="kind",
            field=models.CharField(
                choices=[
                    ("model", "model"),
                    ("score", "score"),
                    ("tool", "tool"),
                    ("question", "question"),
                    ("abstain", "abstain"),
                    ("final", "final"),
                    ("budget", "budget"),
                    ("attention", "attention"),
                    ("in_doubt", "in doubt"),
                    ("message", "message"),
                    ("goal", "goal"),
                    ("hand_back", "hand back"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="step",
            name="state",
            field=models.CharField(
                choices=[
                    ("started", "started"),
                    ("unjudged", "unjudged"),
                    ("proposed", "proposed"),
                    ("waiting", "waiting"),
                    ("dispatched", "dispatched"),
                    ("succeeded", "succeeded"),
                    ("failed", "failed"),
                    ("refused", "refused"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="step",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "dispatched",
                            "failed",
                            "proposed",
                            "refused",
                            "started",
                            "succeeded",
                            "unjudged",
                            "waiting",
                        ],
                    )
                ),
                name="step_state_known",
            ),
        ),
    ]
