"""A call knows the version that made it, so that how often a tool was used is told by an index alone.

The database keeps it: whoever inserts a step, a process of the release before too, is not asked for it. A simulated
run's calls are nobody's history, and have none.
"""

from django.db import migrations, models

KEEP = """
CREATE FUNCTION agents_version_of_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT run.agent_version_id INTO NEW.agent_version_id
      FROM agents_run AS run WHERE run.id = NEW.run_id AND NOT run.simulated;
    RETURN NEW;
END $$;
CREATE TRIGGER version_of_call BEFORE INSERT OR UPDATE OF agent_version_id ON agents_step
    FOR EACH ROW WHEN (NEW.kind IN ('tool', 'delegate')) EXECUTE FUNCTION agents_version_of_call();
UPDATE agents_step SET agent_version_id = NULL WHERE kind IN ('tool', 'delegate');
"""
LET_GO = """
DROP TRIGGER version_of_call ON agents_step;
DROP FUNCTION agents_version_of_call();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0018_simulated_newest"),
    ]

    operations = [
        migrations.AddField(
            model_name="step",
            name="agent_version_id",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.RunSQL(KEEP, LET_GO),
    ]
