"""The site is built whole, and its check sees what would lead nowhere; the reference is what the code says."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from django.test import Client

from countersign.programs import PROJECT


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PROJECT / "deploy" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def documentation() -> ModuleType:
    return tool("documentation")


@pytest.fixture(scope="module")
def built(documentation: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the documentation, built; its configuration."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(PROJECT / "docs", folder / "docs")
    shutil.copy(PROJECT / "zensical.toml", folder)
    assert documentation.build(folder / "zensical.toml") == ""
    return folder / "zensical.toml"


def test_the_site_is_whole(documentation: ModuleType, built: Path) -> None:
    assert documentation.complaints(built) == []
    assert list(documentation._leading_nowhere(PROJECT)) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param("[x](nowhere.html)", "leads to nowhere.html, which is not there", id="link"),
        pytest.param("[x](audit.html#nowhere)", "where there is no such place", id="anchor"),
        pytest.param("[x](../README.md)", "leads to ../README.md, which is not", id="outside"),
        pytest.param('<img src="pictures/no.png">', "leads to pictures/no.png", id="picture"),
        pytest.param('<script src="https://cdn.example/x.js">', "from elsewhere", id="server"),
        pytest.param('<link href="//fonts.example/x.css">', "from elsewhere", id="font"),
    ],
)
def test_what_leads_nowhere_or_elsewhere_is_said(
    documentation: ModuleType, built: Path, wrong: str, said: str
) -> None:
    page = built.parent / ".site" / "limits.html"
    whole = page.read_text()
    html = re.sub(r"\[x\]\((.*)\)", r'<a href="\1">x</a>', wrong)
    page.write_text(whole.replace("</article>", f"{html}</article>"))
    try:
        assert [said in each for each in documentation.complaints(built)] == [True]
    finally:
        page.write_text(whole)


def test_a_page_without_a_place_a_place_without_a_page_and_a_picture_on_none_are_said(
    documentation: ModuleType, built: Path
) -> None:
    listed = built.read_text()
    (built.parent / "docs" / "new.md").write_text("# New\n")
    (built.parent / "docs" / "pictures" / "new.png").touch()
    built.write_text(listed.replace('"limits.md"', '"limit.md"'))
    try:
        assert documentation.complaints(built) == [
            "docs/limits.md is in no navigation: zensical.toml.",
            "docs/new.md is in no navigation: zensical.toml.",
            "The navigation names docs/limit.md, which is not there.",
            "docs/pictures/new.png is on no page.",
            "docs/new.md is not found by searching.",
        ]
    finally:
        built.write_text(listed)
        (built.parent / "docs" / "new.md").unlink()
        (built.parent / "docs" / "pictures" / "new.png").unlink()


@pytest.mark.parametrize("wrong", ["[x](nowhere.md)", "[x](audit.md#nowhere)"])
def test_what_leads_nowhere_is_no_site(
    documentation: ModuleType, built: Path, tmp_path: Path, wrong: str
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text(f"# Start\n\n{wrong}\n")
    (tmp_path / "docs" / "audit.md").write_text("# Log\n")
    configuration = tmp_path / "zensical.toml"
    configuration.write_text(
        '[project]\nsite_name = "x"\nsite_dir = ".site"\ndocs_dir = "docs"\nnav = ["README.md", "audit.md"]\n'
    )
    assert "README.md:3" in documentation.build(configuration)


def test_the_reference_is_what_the_code_says(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = tool("reference")
    assert reference.stale() == []
    shutil.copytree(reference.FOLDER, tmp_path / "reference")
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    (tmp_path / "reference" / "events.md").write_text("# Events\n")
    (tmp_path / "reference" / "metrics.md").unlink()
    assert reference.stale() == ["events.md", "metrics.md"]


def test_every_figure_that_is_told_stands_in_the_reference(db: None) -> None:
    page = (PROJECT / "docs" / "reference" / "metrics.md").read_text()
    told = Client().get("/metrics").content.decode()
    figures = set(re.findall(r"^# TYPE (\w+) ", told, re.MULTILINE))
    assert len(figures) > 20
    assert {name for name in figures if f"`{name}`" not in page} == set()
