"""From nothing to an agent that runs: what `startagent` writes is what the page says, and it works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import User
from countersign.programs import PROJECT
from tests.harness.client import ApiClient
from tests.harness.cluster import product_environment
from tests.harness.stack import Stack

PAGE = PROJECT / "docs" / "write-an-agent.md"
NOTICE = 'put_up_notice {"text": "Closed on Friday."}'


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The app as the command writes it, where processes find it."""
    call_command("startagent", "notice_board", str(tmp_path / "notice_board"), verbosity=0)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "notice_board"


def test_the_page_shows_what_the_command_writes(app: Path) -> None:
    shown = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert shown == [(app / name).read_text() for name in ("agents.py", "test_agents.py")]
    assert len((app / "agents.py").read_text().splitlines()) < 50


def test_the_app_is_checked_and_its_own_tests_pass(app: Path) -> None:
    environment = product_environment(
        COUNTERSIGN_DATA_DIR=str(app.parent / "data"),
        COUNTERSIGN_APPS="notice_board",
        DATABASE_URL="postgresql://app@db.example/countersign",
        REDIS_URL="redis://redis.example/0",
        SECRET_KEY="x0-y1-z2" * 8,
    )
    checked = run(["manage.py", "check"], environment, PROJECT)
    assert "no issues" in checked
    environment = {
        name: value
        for name, value in product_environment(
            PYTHONPATH=f"{app.parent}{os.pathsep}{PROJECT}"
        ).items()
        if name not in ("DJANGO_SETTINGS_MODULE", "TEST_CLUSTER_DIR")
    }
    tested = run(["-m", "pytest", "-q", "notice_board"], environment, app.parent)
    assert "2 passed" in tested


def run(arguments: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_agent_runs_in_the_product_and_waits_for_a_person(
    app: Path, stack: Callable[..., Stack], operator: User, reviewer: User, second_reviewer: User
) -> None:
    made = stack(apps="notice_board")
    said = made.manage("sync_agents", "--activate")
    assert "Activated notice-board." in said
    made.run()
    client = ApiClient(made, operator)
    run = client.start("notice-board", NOTICE)

    def state() -> str:
        return str(client.get(f"runs/{run}")["state"])

    made.wait_for(lambda: state() == "waiting", what="the run waits for a person")
    board = made.folder / "data" / "notice_board"
    assert not board.exists()
    for person in (reviewer, second_reviewer):
        people = ApiClient(made, person)
        for request in people.pending():
            assert request["preview"]["summary"] == "Closed on Friday."
            people.decide(people.get(f"approvals/{request['id']}"), "approve")
    made.wait_for(lambda: state() == "succeeded", what="the run has ended")
    assert [path.read_text() for path in board.iterdir()] == ["Closed on Friday."]
    assert "1 of 1 calls were done" in str(client.get(f"runs/{run}")["output"])


@pytest.mark.parametrize("name", ["Notice Board", "1st", "x"])
def test_a_name_that_no_app_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="lower_snake_case"):
        call_command("startagent", name, str(tmp_path / "x"))


def test_an_owner_that_no_group_can_be_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="'The Board' is no slug of a review group"):
        call_command("startagent", "board", str(tmp_path / "board"), owner="The Board")
    assert not (tmp_path / "board").exists()


def test_the_commands_that_it_says_come_next_find_the_app(tmp_path: Path) -> None:
    said = StringIO()
    call_command("startagent", "board", str(tmp_path / "board"), stdout=said)
    assert f"PYTHONPATH={tmp_path} COUNTERSIGN_APPS=board make demo" in said.getvalue()
    beside = StringIO()
    call_command("startagent", "bored", str(tmp_path / "b"), stdout=StringIO(), stderr=beside)
    assert "rename it to bored" in beside.getvalue()


def test_a_folder_whose_parent_python_reads_already_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    call_command("startagent", "pinboard", str(tmp_path / "pinboard"), stdout=StringIO())
    assert (tmp_path / "pinboard" / "agents.py").is_file()
    with pytest.raises(CommandError, match="conflicts with the name"):
        call_command("startagent", "json", str(tmp_path / "json"))
    assert not (tmp_path / "json").exists()


def test_what_is_there_is_not_written_over(app: Path) -> None:
    (app / "agents.py").write_text("mine")
    with pytest.raises(CommandError, match="exists"):
        call_command("startagent", "notice_board", str(app), verbosity=0)
    assert (app / "agents.py").read_text() == "mine"
