"""verify.py is one file: it runs anywhere, and it is the same one everywhere."""

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from audit.verifier import verify
from tests.audit.verifier.conftest import RUN
from tests.audit.verifier.logbook import Log

SOURCE = Path(verify.__file__)
# What came to the standard library after Python 3.8, as far as a verifier could be tempted.
NEWER = {
    "bit_count",
    "cache",
    "file_digest",
    "pairwise",
    "batched",
    "removeprefix",
    "removesuffix",
    "is_relative_to",
    "to_thread",
    "ExceptionGroup",
    "aclosing",
}


def test_it_is_python_3_8_and_imports_the_standard_library_alone() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 8))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).partition(".")[0])
    assert imported <= set(sys.stdlib_module_names)


def test_it_uses_nothing_that_is_newer_than_python_3_8() -> None:
    tree = ast.parse(SOURCE.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & NEWER
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords = {keyword.arg for keyword in node.keywords}
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            assert not (called == "zip" and "strict" in keywords)
            assert not (called == "sha256" and "usedforsecurity" in keywords)
        # Without evaluation: annotations alone may be written as later Pythons write them.
        assert not isinstance(node, ast.TypeAlias if hasattr(ast, "TypeAlias") else ())
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            assert node.value.id not in {"list", "dict", "tuple", "set", "frozenset", "type"}


def test_the_export_holds_the_very_file(log: Log, tmp_path: Path) -> None:
    path = log.export(tmp_path / "export.zip")
    with zipfile.ZipFile(path) as opened:
        assert opened.read("verify.py") == SOURCE.read_bytes()


def test_an_empty_environment_is_enough(log: Log, tmp_path: Path) -> None:
    path = log.export(tmp_path / "export.zip", since=[5])
    with zipfile.ZipFile(path) as opened:
        alone = tmp_path / "elsewhere" / "verify.py"
        alone.parent.mkdir()
        alone.write_bytes(opened.read("verify.py"))
    run = subprocess.run(
        ["env", "-i", sys.executable, "-I", "-S", alone, path],
        capture_output=True,
        text=True,
        check=False,
        cwd=alone.parent,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("THIS EXPORT HOLDS.")

    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(RUN.encode())] ^= 1
    path.write_bytes(damaged)
    run = subprocess.run(
        ["env", "-i", sys.executable, "-I", "-S", alone, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (1, "")
    assert "events.jsonl was changed or damaged" in run.stdout


def test_a_file_that_is_not_there_or_a_wrong_use_ends_with_2(tmp_path: Path) -> None:
    for arguments in ([tmp_path / "none.zip"], []):
        run = subprocess.run(
            ["env", "-i", sys.executable, "-I", SOURCE, *arguments],
            capture_output=True,
            check=False,
            cwd=os.sep,
        )
        assert run.returncode == 2
