"""The exceptions' function names nothing that ANALYZE and a restore would not find."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0008_witness"),
    ]

    operations = [
        migrations.RunSQL(
            (SQL / "0009_auditors.sql").read_text(),
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
