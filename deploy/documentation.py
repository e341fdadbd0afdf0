"""The documentation's site: built from docs/ into .site, and held to be whole.

    python deploy/documentation.py            build it, and say what does not fit

Fails when a page is in no navigation, a picture on no page, and when a link, an anchor or a picture of the built site
leads to nothing, or to another server where a page would load it. The site works without a network, searching included.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

PROJECT = Path(__file__).resolve().parent.parent
CONFIGURATION = PROJECT / "zensical.toml"
#: What colours a terminal.
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)")
#: Attributes by which a page loads something, by element.
LOADED = {"img": "src", "script": "src", "source": "src", "iframe": "src", "link": "href"}


@dataclass
class Page(HTMLParser):
    """What one built page names: its anchors, where it links to, and what it loads."""

    anchors: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value is not None}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        elif given.get(LOADED.get(tag, ""), ""):
            self.loaded.add(given[LOADED[tag]])


def build(configuration: Path = CONFIGURATION) -> str:
    """Make the site anew; what the generator complains of, or an empty text."""
    settings = tomllib.loads(configuration.read_text())["project"]
    shutil.rmtree(configuration.parent / settings["site_dir"], ignore_errors=True)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "zensical",
            "build",
            "--strict",
            "--clean",
            "-f",
            str(configuration),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=configuration.parent,
    )
    said = ESCAPE.sub("", done.stdout + done.stderr).partition("Traceback (most recent call last)")[
        0
    ]
    return said if done.returncode else ""


def complaints(configuration: Path = CONFIGURATION) -> list[str]:
    """What does not fit in the built site, a sentence each."""
    settings = tomllib.loads(configuration.read_text())["project"]
    source = configuration.parent / settings["docs_dir"]
    site = configuration.parent / settings["site_dir"]
    return [
        *_unlisted(source, settings["nav"]),
        *_unseen(source, configuration.read_text()),
        *_astray(site),
        *_unsearchable(site, source),
        *_leading_nowhere(configuration.parent),
    ]


def _listed(entries: Any) -> Iterator[str]:
    """The pages of a navigation, in its order."""
    if isinstance(entries, str):
        yield entries
    else:
        for entry in entries.values() if isinstance(entries, dict) else entries:
            yield from _listed(entry)


def _unlisted(source: Path, nav: Any) -> Iterator[str]:
    listed = list(_listed(nav))
    there = {path.relative_to(source).as_posix() for path in source.rglob("*.md")}
    yield from (
        f"docs/{page} is in no navigation: zensical.toml." for page in sorted(there - set(listed))
    )
    yield from (
        f"The navigation names docs/{page}, which is not there."
        for page in sorted(set(listed) - there)
    )
    yield from (
        f"docs/{page} stands twice in the navigation."
        for page in sorted({p for p in listed if listed.count(p) > 1})
    )


def _unseen(source: Path, configuration: str) -> Iterator[str]:
    """Pictures that nobody would miss: they are made anew with the others, and looked at by no reader."""
    shown = {
        (page.parent / target).resolve()
        for page in source.rglob("*.md")
        for target in LINK.findall(page.read_text())
    }
    for picture in sorted((source / "pictures").glob("*")):
        name = picture.relative_to(source).as_posix()
        if picture.resolve() not in shown and f'"{name}"' not in configuration:
            yield f"docs/{name} is on no page."


def _astray(site: Path) -> Iterator[str]:
    pages = {}
    for path in sorted(site.rglob("*.html")):
        page = pages[path] = Page()
        page.feed(path.read_text())
    for path, page in pages.items():
        if path.name == "404.html":  # its addresses begin at the root of wherever it is served
            continue
        where = path.relative_to(site)
        for address in sorted(page.links | page.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loaded:
                    yield f"{where} loads {address} from elsewhere."
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or not target.is_relative_to(site):
                yield f"{where} leads to {address}, which is not there."
            elif (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].anchors
            ):
                yield f"{where} leads to {address}, where there is no such place."


def _unsearchable(site: Path, source: Path) -> Iterator[str]:
    index = site / "search.json"
    found = (
        {item["location"].partition("#")[0] for item in json.loads(index.read_text())["items"]}
        if index.is_file()
        else set()
    )
    for path in sorted(source.rglob("*.md")):
        page = path.relative_to(source).with_suffix(".html").as_posix().replace("README.html", "")
        if page not in found and page + "index.html" not in found:
            yield f"{path.relative_to(source.parent)} is not found by searching."


def _leading_nowhere(project: Path) -> Iterator[str]:
    """Of the pages that stand beside the site."""
    for page in sorted(project.glob("*.md")):
        for target in LINK.findall(page.read_text()):
            if not (project / target).exists():
                yield f"{page.name} leads to {target}, which is not there."


if __name__ == "__main__":
    problems = [build() or "\n".join(complaints())]
    sys.stdout.write("".join(problems))
    sys.exit(any(problems))
