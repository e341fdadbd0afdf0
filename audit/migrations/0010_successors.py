"""A checkpoint is one of its log: where a successor has fewer events, it signs sizes that were signed before."""

import django.db.models.deletion
from django.db import migrations, models

# Checkpoints and cosignatures are never changed but here: what a cosignature points to gets another name.
RENAMED = """
ALTER TABLE audit_cosignature DISABLE TRIGGER audit_cosignature_append_only;
DO $$
DECLARE
    reference text;
BEGIN
    SELECT conname INTO reference FROM pg_constraint
        WHERE conrelid = 'audit_cosignature'::regclass AND confrelid = 'audit_checkpoint'::regclass;
    EXECUTE format('ALTER TABLE audit_cosignature DROP CONSTRAINT %I', reference);
END;
$$;
ALTER TABLE audit_checkpoint DROP CONSTRAINT audit_checkpoint_pkey;
ALTER TABLE audit_checkpoint ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE audit_checkpoint ADD PRIMARY KEY (id);
ALTER TABLE audit_checkpoint ADD CONSTRAINT audit_checkpoint_once_a_size UNIQUE (size, log_id);
UPDATE audit_cosignature SET checkpoint_id = checkpoint.id
    FROM audit_checkpoint AS checkpoint WHERE checkpoint.size = audit_cosignature.checkpoint_id;
ALTER TABLE audit_cosignature ADD CONSTRAINT audit_cosignature_checkpoint_fk
    FOREIGN KEY (checkpoint_id) REFERENCES audit_checkpoint (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE audit_cosignature ENABLE ALWAYS TRIGGER audit_cosignature_append_only;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0009_auditors"),
    ]

    operations = [
        migrations.RunSQL(
            RENAMED,
            state_operations=[
                migrations.AlterField(
                    model_name="checkpoint", name="size", field=models.BigIntegerField()
                ),
                migrations.AddField(
                    model_name="checkpoint",
                    name="id",
                    field=models.BigIntegerField(primary_key=True, serialize=False),
                    preserve_default=False,
                ),
                migrations.AlterField(
                    model_name="cosignature",
                    name="checkpoint",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cosignatures",
                        to="audit.checkpoint",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="checkpoint",
                    constraint=models.UniqueConstraint(
                        fields=["size", "log"], name="audit_checkpoint_once_a_size"
                    ),
                ),
            ],
        ),
    ]
