"""Kill switches as rows: what was switched off on the agent's own row is carried over."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from uuid6 import uuid7

import agents.kill_switches

NO_REASON = "No reason was given."
# One lock, taken shared by whoever begins something and alone by whoever sets or lifts a switch: "killswit".
SWITCHBOARD = 0x6B696C6C73776974
LOCK = f"""
CREATE FUNCTION agents_lock_switchboard() RETURNS void
LANGUAGE sql VOLATILE AS 'SELECT pg_advisory_xact_lock({SWITCHBOARD})'
"""
# Volatile, so that what it reads is of the moment at which the lock was had, and not of the beginning of
# the statement that calls it.
HELD_TOOLS = f"""
CREATE FUNCTION agents_held_tools(wanted bigint) RETURNS text[]
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({SWITCHBOARD});
    RETURN ARRAY(
        SELECT switch.tool::text FROM agents_killswitch AS switch
         WHERE switch.lifted_at IS NULL
           AND (switch.agent_id IS NULL OR switch.agent_id = wanted));
END
$$
"""  # noqa: S608 - the number alone is put in


def carry_over(apps: Any, schema_editor: Any) -> None:
    using = schema_editor.connection.alias
    switch = apps.get_model("agents", "KillSwitch")
    for agent in apps.get_model("agents", "HostedAgent").objects.using(using).all():
        if agent.disabled_at is not None:
            switch.objects.using(using).create(
                id=uuid7(),
                agent=agent,
                reason=agent.disabled_reason.strip() or NO_REASON,
                set_by_id=agent.disabled_by_id,
                set_at=agent.disabled_at,
            )
    # Tables are changed next, which must not have checks pending.
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


def carry_back(apps: Any, schema_editor: Any) -> None:
    using = schema_editor.connection.alias
    switches = apps.get_model("agents", "KillSwitch").objects.using(using)
    for switch in switches.filter(lifted_at__isnull=True, agent__isnull=False, tool=""):
        switch.agent.disabled_at = switch.set_at
        switch.agent.disabled_by_id = switch.set_by_id
        switch.agent.disabled_reason = switch.reason
        switch.agent.save()
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0004_judged_steps"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="KillSwitch",
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
                ("tool", models.CharField(blank=True, default="", max_length=64)),
                ("reason", models.TextField()),
                ("set_at", models.DateTimeField()),
                ("lift_reason", models.TextField(blank=True, default="")),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "agent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="kill_switches",
                        to="agents.hostedagent",
                    ),
                ),
                (
                    "lifted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "set_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["-set_at", "-id"], name="kill_switch_newest")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at__isnull", True)),
                        fields=("agent", "tool"),
                        name="kill_switch_on_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="kill_switch_has_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("lifted_at__isnull", False),
                            models.Q(("lift_reason", ""), ("lifted_by__isnull", True)),
                            _connector="OR",
                        ),
                        name="kill_switch_lifted_with_time",
                    ),
                ],
            },
        ),
        migrations.RunPython(carry_over, carry_back),
        migrations.RemoveField(model_name="hostedagent", name="disabled_at"),
        migrations.RemoveField(model_name="hostedagent", name="disabled_by"),
        migrations.RemoveField(model_name="hostedagent", name="disabled_reason"),
        migrations.AddField(
            model_name="step",
            name="stopped",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name="step",
            index=models.Index(
                condition=models.Q(
                    ("state__in", ["proposed", "waiting", "dispatched"]), ("stopped", True)
                ),
                fields=["name"],
                name="step_stopped",
            ),
        ),
        migrations.RunSQL(LOCK, reverse_sql="DROP FUNCTION agents_lock_switchboard()"),
        migrations.RunSQL(HELD_TOOLS, reverse_sql="DROP FUNCTION agents_held_tools(bigint)"),
    ]
