"""In whose lists a request stands, kept by triggers from now on; what is there already is filled in next."""

import django.db.models.deletion
from django.db import migrations, models

TRIGGERS = """
CREATE FUNCTION approvals_list(which uuid, readers bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO approvals_listing (request_id, reader, closed_at, risk_rank, agent, tool, kind)
    SELECT asked.id, reader,
        CASE WHEN asked.state <> 'pending' THEN coalesce(asked.decided_at, asked.created_at) END,
        asked.risk_rank, asked.agent, asked.tool, asked.kind
    FROM approvals_approvalrequest AS asked, unnest(readers) AS reader
    WHERE asked.id = which AND reader IS NOT NULL
    ON CONFLICT DO NOTHING
$$;
CREATE FUNCTION approvals_list_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM approvals_list(NEW.id, ARRAY[NEW.owner_group_id::bigint, -NEW.initiator_id::bigint]);
    RETURN NULL;
END $$;
CREATE FUNCTION approvals_list_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM approvals_list(NEW.request_id, ARRAY[NEW.group_id::bigint]);
    RETURN NULL;
END $$;
CREATE FUNCTION approvals_unlist_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM approvals_listing AS listed USING approvals_approvalrequest AS asked
    WHERE listed.request_id = OLD.request_id AND listed.reader = OLD.group_id
        AND asked.id = OLD.request_id AND asked.owner_group_id IS DISTINCT FROM OLD.group_id;
    RETURN NULL;
END $$;
CREATE FUNCTION approvals_list_voter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM approvals_list(NEW.request_id, ARRAY[-NEW.user_id::bigint]);
    RETURN NULL;
END $$;
CREATE FUNCTION approvals_list_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.owner_group_id IS DISTINCT FROM OLD.owner_group_id
        OR NEW.initiator_id IS DISTINCT FROM OLD.initiator_id THEN
        PERFORM approvals_list(
            NEW.id, ARRAY[NEW.owner_group_id::bigint, -NEW.initiator_id::bigint]);
    END IF;
    UPDATE approvals_listing SET
        closed_at =
            CASE WHEN NEW.state <> 'pending' THEN coalesce(NEW.decided_at, NEW.created_at) END,
        risk_rank = NEW.risk_rank, agent = NEW.agent, tool = NEW.tool, kind = NEW.kind
    WHERE request_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER listed AFTER INSERT ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION approvals_list_request();
CREATE TRIGGER listed AFTER INSERT ON approvals_requestgroup
    FOR EACH ROW EXECUTE FUNCTION approvals_list_group();
CREATE TRIGGER unlisted AFTER DELETE ON approvals_requestgroup
    FOR EACH ROW EXECUTE FUNCTION approvals_unlist_group();
CREATE TRIGGER listed AFTER INSERT ON approvals_vote
    FOR EACH ROW EXECUTE FUNCTION approvals_list_voter();
CREATE TRIGGER listed_anew AFTER UPDATE ON approvals_approvalrequest
    FOR EACH ROW WHEN (
        (OLD.state = 'pending') <> (NEW.state = 'pending')
        OR (OLD.decided_at, OLD.risk_rank, OLD.agent, OLD.tool, OLD.kind, OLD.owner_group_id, OLD.initiator_id)
        IS DISTINCT FROM
        (NEW.decided_at, NEW.risk_rank, NEW.agent, NEW.tool, NEW.kind, NEW.owner_group_id, NEW.initiator_id)
    ) EXECUTE FUNCTION approvals_list_anew();
"""
NO_TRIGGERS = """
DROP TRIGGER listed_anew ON approvals_approvalrequest;
DROP TRIGGER listed ON approvals_vote;
DROP TRIGGER unlisted ON approvals_requestgroup;
DROP TRIGGER listed ON approvals_requestgroup;
DROP TRIGGER listed ON approvals_approvalrequest;
DROP FUNCTION approvals_list_anew();
DROP FUNCTION approvals_list_voter();
DROP FUNCTION approvals_unlist_group();
DROP FUNCTION approvals_list_group();
DROP FUNCTION approvals_list_request();
DROP FUNCTION approvals_list(uuid, bigint[]);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0012_desk_groups"),
    ]

    operations = [
        migrations.CreateModel(
            name="Listing",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "request_id",
                        "reader",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("reader", models.BigIntegerField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("risk_rank", models.PositiveSmallIntegerField()),
                ("agent", models.CharField(max_length=100)),
                ("tool", models.CharField(blank=True, max_length=100)),
                ("kind", models.CharField(max_length=12)),
                (
                    "request",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="approvals.approvalrequest",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("reader"),
                        models.OrderBy(models.F("closed_at"), descending=True),
                        models.OrderBy(models.F("request"), descending=True),
                        models.F("risk_rank"),
                        models.F("agent"),
                        models.F("tool"),
                        models.F("kind"),
                        condition=models.Q(("closed_at__isnull", False)),
                        name="approvals_listing_closed",
                    ),
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=["reader", "request"],
                        name="approvals_listing_waits",
                    ),
                ],
            },
        ),
        migrations.RunSQL(TRIGGERS, reverse_sql=NO_TRIGGERS),
    ]
