import django.db.models.deletion
from django.db import migrations, models

import agents.kill_switches

# Kept here, so that a run's time at work is right whoever moves it, workers of an older release too. A worker
# that died worked no longer than its lease lasted.
CLOCK = """
CREATE FUNCTION agents_time_at_work() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'running' THEN
        NEW.claimed_at := clock_timestamp();
    ELSE
        IF OLD.claimed_at IS NOT NULL THEN
            NEW.active_seconds := OLD.active_seconds + greatest(0, extract(
                epoch FROM least(clock_timestamp(), OLD.lease_expires_at) - OLD.claimed_at));
        END IF;
        NEW.claimed_at := NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER time_at_work BEFORE UPDATE OF state ON agents_run
FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
EXECUTE FUNCTION agents_time_at_work()
"""
NO_CLOCK = "DROP TRIGGER time_at_work ON agents_run; DROP FUNCTION agents_time_at_work()"


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0007_models"),
    ]

    operations = [
        migrations.AddField(
            model_name="hostedagent",
            name="limits",
            field=models.JSONField(
                blank=True, db_default=models.Value({}, models.JSONField()), default=dict
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="active_seconds",
            field=models.FloatField(db_default=0.0, default=0.0, editable=False),
        ),
        migrations.AddField(
            model_name="run",
            name="claimed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.CreateModel(
            name="AgentSpend",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("part", models.PositiveSmallIntegerField()),
                ("calls", models.PositiveBigIntegerField(default=0)),
                ("tokens", models.PositiveBigIntegerField(default=0)),
                ("cost_micros", models.PositiveBigIntegerField(default=0)),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="spent",
                        to="agents.hostedagent",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent", "day", "part"), name="spend_of_day_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BudgetNotice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agents.kill_switches.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("span", models.CharField(max_length=5)),
                ("begins_on", models.DateField()),
                ("measure", models.CharField(max_length=11)),
                ("percent", models.PositiveSmallIntegerField()),
                ("used", models.PositiveBigIntegerField()),
                ("limit", models.PositiveBigIntegerField()),
                ("told_at", models.DateTimeField()),
                ("mail_due_at", models.DateTimeField(blank=True, null=True)),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="agents.hostedagent",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("mail_due_at__isnull", False)),
                        fields=["mail_due_at"],
                        name="budget_notice_mail_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent", "span", "begins_on", "measure", "percent", "limit"),
                        name="budget_notice_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("span__in", ("day", "month")),
                            ("measure__in", ("cost_micros", "tokens")),
                        ),
                        name="budget_notice_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(CLOCK, reverse_sql=NO_CLOCK),
    ]
