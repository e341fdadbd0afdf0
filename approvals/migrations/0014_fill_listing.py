"""The requests that were there before, in batches: each holds its own rows for a moment, and no other."""

from typing import Any

from django.db import migrations, transaction

# Locked, so that a decision under way is seen as it will have been, and the newest state is read.
BATCH = """
WITH batch AS (
    SELECT id, state, decided_at, created_at, risk_rank, agent, tool, kind, owner_group_id, initiator_id
    FROM approvals_approvalrequest WHERE id > %s ORDER BY id LIMIT 5000 FOR SHARE
), concerned AS (
    SELECT id AS request_id, owner_group_id AS reader FROM batch WHERE owner_group_id IS NOT NULL
    UNION SELECT id, -initiator_id FROM batch WHERE initiator_id IS NOT NULL
    UNION SELECT asked.request_id, asked.group_id
        FROM approvals_requestgroup AS asked JOIN batch ON batch.id = asked.request_id
    UNION SELECT vote.request_id, -vote.user_id
        FROM approvals_vote AS vote JOIN batch ON batch.id = vote.request_id
), listed AS (
    INSERT INTO approvals_listing (request_id, reader, closed_at, risk_rank, agent, tool, kind)
    SELECT id, reader, CASE WHEN state <> 'pending' THEN coalesce(decided_at, created_at) END,
        risk_rank, agent, tool, kind
    FROM concerned JOIN batch ON batch.id = concerned.request_id
    ON CONFLICT DO NOTHING
)
SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""


def fill(apps: Any, schema_editor: Any) -> None:
    """Ends after the newest request; begun again, it finds its rows there and goes on."""
    last = "00000000-0000-0000-0000-000000000000"
    while last is not None:
        alias, connection = schema_editor.connection.alias, schema_editor.connection
        with transaction.atomic(alias), connection.cursor() as cursor:
            cursor.execute(BATCH, [last])
            row = cursor.fetchone()
        last = row[0] if row else None
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("ANALYZE approvals_listing")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("approvals", "0013_listing"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
