"""Would a migration stop a product that is at work, or break the processes of the release before?

Looks at the operations alone, without a database. During a rolling deploy the tables are in use, by code that
does not know the migration yet: docs/upgrade.md says what that asks for. A migration that may do something
all the same says why, by the number of the operation: `accepted = {0: "A dozen rows at most."}`.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "countersign.settings")

import django  # noqa: E402

django.setup()

from django.contrib.postgres.operations import (  # noqa: E402
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models  # noqa: E402
from django.db.migrations.loader import MigrationLoader  # noqa: E402
from django.db.migrations.operations.base import Operation  # noqa: E402
from django.db.migrations.state import ProjectState  # noqa: E402
from django.db.models.fields import NOT_PROVIDED  # noqa: E402

#: The last migration of each app that no live system went through: what the first release began with.
BEFORE_THE_FIRST_RELEASE: Final = {
    "accounts": "0009",
    "agents": "0020",
    "approvals": "0016",
    "audit": "0010",
    "evaluations": "0001",
    "insights": "0001",
}
CONCURRENT: Final = (AddIndexConcurrently, RemoveIndexConcurrently)
HARMLESS: Final = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.AlterModelTableComment,
    migrations.AlterOrderWithRespectTo,
    migrations.RemoveConstraint,
    AddConstraintNotValid,
    *CONCURRENT,
)
#: What of a field the database does not know.
UNSEEN: Final = frozenset(
    {
        *("choices", "validators", "help_text", "verbose_name", "default", "blank", "editable"),
        *("error_messages", "auto_now", "auto_now_add", "related_name", "limit_choices_to"),
        *("on_delete", "related_query_name", "db_default", "unique_for_date"),
    }
)


def complaints() -> list[str]:
    """What must not go out, a sentence each."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    found = []
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if app in BEFORE_THE_FIRST_RELEASE and name[:4] > BEFORE_THE_FIRST_RELEASE[app]:
            before = loader.project_state((app, name), at_end=False)
            found += [f"{app}.{name}: {wrong}" for wrong in of_migration(migration, before)]
    return found


def of_migration(migration: migrations.Migration, state: ProjectState) -> Iterator[str]:
    """What is wrong with one migration; `state` is what its tables were before, and is changed."""
    accepted: dict[int, str] = getattr(migration, "accepted", {})
    made: set[str] = set()
    for number, operation in enumerate(migration.operations):
        before = state.clone()
        operation.state_forwards(migration.app_label, state)
        if isinstance(operation, migrations.CreateModel):
            made.add(operation.name_lower)
        for wrong in _of_operation(operation, migration.app_label, made, before, state):
            if not accepted.get(number):
                yield f"operation {number} ({operation.describe()}) {wrong}"
    for number in sorted(set(accepted) - set(range(len(migration.operations)))):
        yield f"accepts operation {number}, which there is not."
    kinds = {type(operation) for operation in migration.operations}
    if not migration.atomic and len(migration.operations) > 1 and not kinds <= set(CONCURRENT):
        yield (
            "is not atomic and does more than one kind of thing: interrupted, it cannot be begun again. Give what "
            "is made concurrently a migration of its own."
        )


def _of_operation(
    operation: Operation, app: str, made: set[str], before: ProjectState, after: ProjectState
) -> Iterator[str]:
    """Nothing waits for a table that the same migration makes."""
    if getattr(operation, "model_name_lower", "") in made or isinstance(operation, HARMLESS):
        return
    if isinstance(operation, (migrations.AddIndex, migrations.RemoveIndex)):
        yield (
            "keeps writers out of the table until it is done: use AddIndexConcurrently or RemoveIndexConcurrently, "
            "in a migration of its own with atomic = False."
        )
    elif isinstance(operation, ValidateConstraint):
        if made:
            yield "has to stand in a migration after the one that adds the constraint."
    elif isinstance(operation, migrations.AddConstraint):
        if isinstance(operation.constraint, models.CheckConstraint):
            yield (
                "reads the whole table while nobody may use it: use AddConstraintNotValid, and ValidateConstraint in "
                "the migration after it."
            )
        else:
            yield (
                "builds an index while writers are kept out: build a unique index concurrently by RunSQL first, and "
                "take it for the constraint (ADD CONSTRAINT … USING INDEX)."
            )
    elif isinstance(operation, migrations.AddField):
        yield from _of_added(operation.field)
    elif isinstance(operation, migrations.AlterField):
        key = (app, operation.model_name_lower)
        was = before.models[key].fields[operation.name]
        yield from _of_altered(was, after.models[key].fields[operation.name])
    elif isinstance(
        operation,
        (
            migrations.RemoveField,
            migrations.DeleteModel,
            migrations.RenameField,
            migrations.RenameModel,
            migrations.AlterModelTable,
        ),
    ):
        yield (
            "takes away what processes of the release before still use: stop using it in one release, and take it away "
            "in the next (then say so in `accepted`)."
        )
    elif isinstance(operation, migrations.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from _of_operation(inner, app, made, before, after)
    else:
        yield (
            "cannot be judged by its kind: look at how long it holds which locks, and whether the release before can "
            "live with it, and say so in `accepted`."
        )


def _of_added(field: models.Field[Any, Any]) -> Iterator[str]:
    if isinstance(field, models.GeneratedField):
        yield "writes the whole table anew while nobody may use it."
    if isinstance(field, models.ManyToManyField):
        return
    if not field.null and field.db_default is NOT_PROVIDED:
        yield (
            "is NOT NULL without db_default: processes of the release before insert rows without it, which would be "
            "refused. Give it a db_default, or let it be null."
        )
    if isinstance(field, models.ForeignKey) and field.db_constraint:
        yield (
            "adds a foreign key, for which both tables are kept from writers while it is checked: use "
            "db_constraint=False, and add the constraint NOT VALID by RunSQL."
        )
    if field.unique or field.db_index:
        yield (
            "builds an index while writers are kept out: leave unique and db_index out, and add an index "
            "concurrently."
        )


def _of_altered(was: models.Field[Any, Any], now: models.Field[Any, Any]) -> Iterator[str]:
    before, after = (
        {key: value for key, value in field.deconstruct()[3].items() if key not in UNSEEN}
        for field in (was, now)
    )
    same_kind = type(was) is type(now)
    if before == after and same_kind:
        return
    if same_kind and after.pop("null", False):
        before.pop("null", None)
    longer = (after.pop("max_length", None) or 0) >= (before.pop("max_length", None) or 0)
    if not same_kind or before != after or not longer:
        yield (
            "changes what the database keeps, and reads or writes the whole table for it while nobody may use it: add "
            "a field beside it, fill it in batches, and change over."
        )


if __name__ == "__main__":
    problems = complaints()
    sys.stdout.write("\n".join(problems))
    sys.exit(bool(problems))
