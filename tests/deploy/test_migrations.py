"""Migrations beside a product that is at work: what may not go out, and who gives way to whom."""

import subprocess
import sys
from collections.abc import Callable

import psycopg
import pytest
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from deploy import check_migrations
from tests.harness.stack import Stack

NAME = models.CharField(max_length=40)
CHECK = models.CheckConstraint(condition=models.Q(size__gt=0), name="size_is_positive")
NEWEST = models.Index(fields=["-size"], name="newest")
TABLES = [
    migrations.CreateModel(
        "Row",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", NAME),
            ("size", models.IntegerField()),
        ],
    )
]


def complaints(
    *operations: Operation, atomic: bool = True, accepted: dict[int, str] | None = None
) -> list[str]:
    state = ProjectState()
    for operation in TABLES:
        operation.state_forwards("agents", state)
    migration = migrations.Migration("0002_tried", "agents")
    migration.operations = list(operations)
    migration.atomic = atomic
    if accepted is not None:
        migration.accepted = accepted  # type: ignore[attr-defined]
    return list(check_migrations.of_migration(migration, state))


def test_the_projects_own_migrations_may_go_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_migrations.complaints() == []
    earlier = check_migrations.BEFORE_THE_FIRST_RELEASE | {"accounts": "0005"}
    monkeypatch.setattr(check_migrations, "BEFORE_THE_FIRST_RELEASE", earlier)
    first = check_migrations.complaints()[0]
    assert first.startswith("accounts.0006_languages: operation 0 (Add field language to user)")
    assert "NOT NULL without db_default" in first


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (migrations.AddIndex("row", NEWEST), "use AddIndexConcurrently"),
        (migrations.AddConstraint("row", CHECK), "use AddConstraintNotValid"),
        (
            migrations.AddConstraint("row", models.UniqueConstraint(fields=["name"], name="one")),
            "USING INDEX",
        ),
        (migrations.AddField("row", "kind", models.CharField(default="")), "without db_default"),
        (
            migrations.AddField(
                "row", "above", models.ForeignKey("self", models.CASCADE, null=True)
            ),
            "adds a foreign key",
        ),
        (
            migrations.AddField("row", "kind", models.IntegerField(null=True, db_index=True)),
            "builds an index",
        ),
        (migrations.AlterField("row", "name", models.CharField(max_length=20)), "changes what"),
        (migrations.AlterField("row", "size", models.BigIntegerField()), "changes what"),
        (migrations.RemoveField("row", "name"), "still use"),
        (migrations.RenameField("row", "name", "title"), "still use"),
        (migrations.DeleteModel("row"), "still use"),
        (migrations.RunSQL("UPDATE agents_row SET size = 1"), "cannot be judged by its kind"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Operation) else None,
)
def test_what_stops_a_live_product_is_named_unless_somebody_says_why(
    operation: Operation, words: str
) -> None:
    (said,) = {each for each in complaints(operation) if words in each}
    assert said.startswith("operation 0 (")
    assert complaints(operation, accepted={0: "A dozen rows at most."}) == []
    assert complaints(operation, accepted={0: ""})


def test_what_stops_nobody_is_let_through() -> None:
    assert complaints(AddIndexConcurrently("row", NEWEST), atomic=False) == []
    assert complaints(AddConstraintNotValid("row", CHECK)) == []
    assert complaints(ValidateConstraint("row", "size_is_positive")) == []
    assert (
        complaints(
            migrations.AddField("row", "kind", models.CharField(db_default="", max_length=9)),
            migrations.AddField("row", "note", models.TextField(null=True)),
            migrations.AlterField(
                "row", "name", models.CharField(max_length=80, null=True, help_text="?")
            ),
            migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
            migrations.AddIndex("other", models.Index(fields=["id"], name="other_id")),
        )
        == []
    )
    (mixed,) = complaints(
        AddIndexConcurrently("row", NEWEST),
        migrations.AddField("row", "note", models.TextField(null=True)),
        atomic=False,
    )
    assert "more than one kind of thing" in mixed
    assert complaints(accepted={3: "Nothing."}) == ["accepts operation 3, which there is not."]


def migrate(stack: Stack, *arguments: str, **given: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "manage.py", "migrate", "--skip-checks", *arguments),
        cwd=stack.project,
        env=stack.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_migration_gives_way_to_the_product_and_says_what_an_interrupted_one_left(
    stack: Callable[..., Stack], superuser_url: str
) -> None:
    product = stack(seeded=False)
    back = migrate(product, "insights", "zero")
    assert back.returncode == 0, back.stderr
    with psycopg.connect(superuser_url) as work:
        # Foreign keys of the new tables ask for a lock that this work keeps from them.
        work.execute("LOCK TABLE accounts_user, auth_group IN ROW EXCLUSIVE MODE")
        stopped = migrate(product, "--lock-seconds", "0.2", "--lock-attempts", "2")
        assert stopped.returncode == 1, stopped.stdout
        assert "(attempt 2 of 2)" in stopped.stderr
        assert "did not get its lock" in stopped.stderr
        work.rollback()
        work.execute("SELECT 1")
    with psycopg.connect(superuser_url, autocommit=True) as interrupted:
        interrupted.execute("CREATE INDEX half_made ON accounts_user (id)")
        interrupted.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half_made'::regclass"
        )
        refused = migrate(product)
        assert refused.returncode == 1
        assert "DROP INDEX CONCURRENTLY half_made;" in refused.stderr
        interrupted.execute("DROP INDEX half_made")
    done = migrate(product)
    assert done.returncode == 0, done.stderr
    assert "insights.0001" in done.stdout
