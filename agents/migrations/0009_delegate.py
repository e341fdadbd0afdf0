"""Runs that other runs delegated to, what holds them, and what agents write down."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
from django.db import migrations, models

import agents.kill_switches

# Beside the function of one parameter, which the release before this one asks. Volatile for the same reason.
HELD_TOOLS = """
CREATE FUNCTION agents_held_tools(wanted bigint, above bigint[]) RETURNS text[]
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM agents_held_tools(wanted);
    RETURN ARRAY(
        SELECT switch.tool::text FROM agents_killswitch AS switch
         WHERE switch.lifted_at IS NULL
           AND (switch.agent_id IS NULL OR switch.agent_id = wanted
                OR (switch.agent_id = ANY(above) AND switch.tool = '')));
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0008_brakes"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="deepest",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="run",
            name="delegated_by",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="child",
                to="agents.step",
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="under",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                db_default=models.Value(
                    [],
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
                default=list,
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="step",
            name="kind",
            field=models.CharField(
                choices=[
                    ("model", "model"),
                    ("score", "score"),
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
                ],
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="Memory",
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
                ("key", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("tainted", models.BooleanField(default=False)),
                ("tainted_by", models.JSONField(blank=True, default=list)),
                ("created_at", models.DateTimeField()),
                ("superseded_at", models.DateTimeField(blank=True, null=True)),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memories",
                        to="agents.hostedagent",
                    ),
                ),
                (
                    "root",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memories_below",
                        to="agents.run",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memories",
                        to="agents.run",
                    ),
                ),
                (
                    "step",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memory",
                        to="agents.step",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "memories",
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.search.SearchVector("key", "text", config="simple"),
                        name="memory_words",
                    ),
                    models.Index(
                        models.F("agent"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="memory_newest",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("superseded_at__isnull", True)),
                        fields=("agent", "root", "key"),
                        name="memory_current_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.RunSQL(
            HELD_TOOLS, reverse_sql="DROP FUNCTION agents_held_tools(bigint, bigint[])"
        ),
    ]
