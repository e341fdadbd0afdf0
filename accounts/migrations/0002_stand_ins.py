"""People out of office and who stands in for them, and who counts as a member of which group now."""

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid6
from django.conf import settings
from django.db import migrations, models

# Active, and may decide requests: by a role, by themselves, or as superuser.
DECIDES = """
    EXISTS (
        SELECT 1 FROM accounts_user who
         WHERE who.id = {person} AND who.is_active AND (
            who.is_superuser
            OR EXISTS (
                SELECT 1 FROM accounts_user_groups held
                  JOIN auth_group_permissions given ON given.group_id = held.group_id
                  JOIN auth_permission permission ON permission.id = given.permission_id
                  JOIN django_content_type type ON type.id = permission.content_type_id
                 WHERE held.user_id = who.id
                   AND permission.codename = 'decide_requests' AND type.app_label = 'accounts')
            OR EXISTS (
                SELECT 1 FROM accounts_user_user_permissions given
                  JOIN auth_permission permission ON permission.id = given.permission_id
                  JOIN django_content_type type ON type.id = permission.content_type_id
                 WHERE given.user_id = who.id
                   AND permission.codename = 'decide_requests' AND type.app_label = 'accounts')))
"""
VIEW = """
CREATE VIEW accounts_effective_membership AS
SELECT membership.id::text AS key, membership.user_id, membership.group_id,
       NULL::bigint AS on_behalf_of_id
  FROM accounts_membership membership
UNION ALL
SELECT membership.id || '/' || absence.id, absence.stand_in_id, membership.group_id,
       absence.person_id
  FROM accounts_absence absence
  JOIN accounts_membership membership ON membership.user_id = absence.person_id
 WHERE absence.ended_at IS NULL
   AND absence.starts_at <= statement_timestamp() AND absence.ends_at > statement_timestamp()
   AND {stand_in}
   AND {absent}
""".format(
    stand_in=DECIDES.format(person="absence.stand_in_id"),
    absent=DECIDES.format(person="absence.person_id"),
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.CreateModel(
            name="EffectiveMembership",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
            ],
            options={
                "db_table": "accounts_effective_membership",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Absence",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid6.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="absences",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "stand_in",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stands_in",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["stand_in", "ends_at"],
                        name="accounts_absence_stand_in",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("person", models.F("stand_in")), _negated=True),
                        name="accounts_absence_of_somebody_else",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="accounts_absence_has_length",
                    ),
                ],
            },
        ),
        migrations.RunSQL(VIEW, reverse_sql="DROP VIEW accounts_effective_membership"),
    ]
