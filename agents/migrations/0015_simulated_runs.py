"""Simulated runs, and at the tables themselves that nothing comes of them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Whatever a worker does, of an older release too: what acts for a run in earnest cannot be written for one that is
# simulated, and such a run never becomes another.
GUARD = """
CREATE FUNCTION agents_refuse_simulated() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM agents_run WHERE id = NEW.run_id AND simulated) THEN
        RAISE EXCEPTION 'a simulated run has no row in %', TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE FUNCTION agents_keep_simulated() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.simulated IS DISTINCT FROM OLD.simulated THEN
        RAISE EXCEPTION 'a run stays simulated, or in earnest' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.parent_id IS NOT NULL
       AND EXISTS (SELECT FROM agents_run WHERE id = NEW.parent_id AND simulated) THEN
        RAISE EXCEPTION 'a simulated run starts no other' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER refuse_simulated BEFORE INSERT OR UPDATE OF run_id ON agents_effect
FOR EACH ROW EXECUTE FUNCTION agents_refuse_simulated();
CREATE TRIGGER refuse_simulated BEFORE INSERT OR UPDATE OF run_id ON agents_memory
FOR EACH ROW EXECUTE FUNCTION agents_refuse_simulated();
CREATE TRIGGER refuse_simulated BEFORE INSERT OR UPDATE OF run_id ON agents_resourceclaim
FOR EACH ROW EXECUTE FUNCTION agents_refuse_simulated();
CREATE TRIGGER refuse_simulated BEFORE INSERT OR UPDATE OF run_id ON approvals_approvalrequest
FOR EACH ROW WHEN (NEW.run_id IS NOT NULL) EXECUTE FUNCTION agents_refuse_simulated();
CREATE TRIGGER keep_simulated BEFORE INSERT OR UPDATE OF simulated, parent_id ON agents_run
FOR EACH ROW EXECUTE FUNCTION agents_keep_simulated()
"""
NO_GUARD = """
DROP TRIGGER keep_simulated ON agents_run;
DROP TRIGGER refuse_simulated ON approvals_approvalrequest;
DROP TRIGGER refuse_simulated ON agents_resourceclaim;
DROP TRIGGER refuse_simulated ON agents_memory;
DROP TRIGGER refuse_simulated ON agents_effect;
DROP FUNCTION agents_keep_simulated();
DROP FUNCTION agents_refuse_simulated()
"""


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0014_desk"),
        ("approvals", "0012_desk_groups"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Simulation",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="simulation",
                        serialize=False,
                        to="agents.run",
                    ),
                ),
                ("sources", models.JSONField(blank=True, default=list)),
                ("answers", models.JSONField(blank=True, default=list)),
                (
                    "unanswered",
                    models.CharField(
                        choices=[("simulate", "simulate"), ("end", "end")], max_length=12
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="agentversion",
            name="variant",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="run",
            name="fork_step",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="run",
            name="forked_from",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="forks",
                to="agents.run",
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="simulated",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="step",
            name="kind",
            field=models.CharField(
                choices=[
                    ("model", "model"),
                    ("score", "score"),
                    ("state", "state"),
                    ("decision", "decision"),
                    ("route", "route"),
                    ("tool", "tool"),
                    ("delegate", "delegate"),
                    ("question", "question"),
                    ("abstain", "abstain"),
                    ("final", "final"),
                    ("budget", "budget"),
                    ("attention", "attention"),
                    ("in_doubt", "in doubt"),
                    ("message", "message"),
                    ("goal", "goal"),
                    ("hand_back", "hand back"),
                    ("simulation", "simulation"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("forked_from__isnull", False)),
                fields=["forked_from", "-created_at"],
                name="run_forks",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("fork_step__isnull", True), ("forked_from__isnull", True)),
                    models.Q(
                        ("fork_step__isnull", False),
                        ("forked_from__isnull", False),
                        ("simulated", True),
                    ),
                    _connector="OR",
                ),
                name="run_fork_is_simulated",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("simulated", False),
                    models.Q(
                        ("delegated_by__isnull", True),
                        ("parent__isnull", True),
                        ("taken_over_at__isnull", True),
                        ("undoes__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="run_simulated_stands_alone",
            ),
        ),
        migrations.AddConstraint(
            model_name="simulation",
            constraint=models.CheckConstraint(
                condition=models.Q(("unanswered__in", ["end", "simulate"])),
                name="simulation_unanswered_known",
            ),
        ),
        migrations.RunSQL(GUARD, reverse_sql=NO_GUARD),
    ]
