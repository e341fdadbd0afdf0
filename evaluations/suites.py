"""Finding suites: files of installed apps (`suites/NAME.yaml`), files anywhere, and cases that people saved."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.apps import apps

from audit.canonical import canonical_bytes, sha256_hex
from evaluations.errors import OtherAgent, SuiteMalformed, UnknownSuite
from evaluations.models import SavedCase
from evaluations.schemas import MOST_CASES, Case, Suite
from evaluations.suite_files import SUFFIXES, as_document, read_suite_file

FOLDER: Final = "suites"


@dataclass(frozen=True)
class Found:
    """A suite, and the file that it or a part of it stands in; empty where all its cases were saved by people."""

    suite: Suite
    source: str

    @property
    def digest(self) -> str:
        """The digest of what the suite says."""
        return sha256_hex(canonical_bytes(as_document(self.suite)))


def find_suite(name: str, *, agent: str) -> Found:
    """The suite of that name, or in that file, for the agent.

    A suite that stands in a file and has saved cases is both, the file's first. Raises UnknownSuite, OtherAgent,
    SuiteMalformed, SuiteTooLarge.
    """
    if name.endswith(SUFFIXES) or os.sep in name:
        return Found(_for(read_suite_file(Path(name)), agent), name)
    path = _shipped(name)
    of_file = _for(read_suite_file(path), agent) if path else None
    saved = saved_cases(agent, of_file.suite if of_file else name)
    if of_file is None and not saved:
        raise UnknownSuite(name, suite_names(agent))
    if of_file is None:
        return Found(Suite(suite=name, agent=agent, cases=saved), "")
    return Found(_joined(of_file, saved, str(path)), _shown(path) if path else "")


def saved_cases(agent: str, suite: str) -> list[Case]:
    """The cases that people saved in a suite of an agent, oldest first."""
    rows = SavedCase.objects.filter(agent__slug=agent, suite=suite).in_order()
    documents = rows.values_list("document", flat=True)[: MOST_CASES + 1]
    return [Case.model_validate(document) for document in documents]


def suite_names(agent: str) -> list[str]:
    """The names of all suites there are for an agent: shipped in files, or of saved cases."""
    saved = SavedCase.objects.filter(agent__slug=agent).values_list("suite", flat=True)
    return sorted(
        {*saved.distinct(), *(name for name, path in shipped_suites() if _is_for(path, agent))}
    )


def shipped_suites() -> list[tuple[str, Path]]:
    """Name and file of every suite that an installed app ships."""
    return sorted(
        (path.stem, path)
        for app in apps.get_app_configs()
        for path in (Path(app.path) / FOLDER).glob("*")
        if path.suffix in SUFFIXES
    )


def _shipped(name: str) -> Path | None:
    found = [path for each, path in shipped_suites() if each == name]
    if len(found) > 1:
        both = " and ".join(_shown(path) for path in found)
        raise SuiteMalformed(
            name, [("", f"two files have this name: {both}; name one by its path")]
        )
    return found[0] if found else None


def _is_for(path: Path, agent: str) -> bool:
    try:
        return read_suite_file(path).agent == agent
    except SuiteMalformed:
        # It is said when somebody asks for it.
        return False


def _for(suite: Suite, agent: str) -> Suite:
    if suite.agent != agent:
        raise OtherAgent(suite.suite, suite.agent, agent)
    return suite


def _joined(suite: Suite, saved: list[Case], source: str) -> Suite:
    there = {case.name for case in suite.cases}
    twice = sorted(case.name for case in saved if case.name in there)
    if twice:
        what = f"{', '.join(twice)} is a saved case too; rename or delete one"
        raise SuiteMalformed(source, [("cases", what)])
    if len(suite.cases) + len(saved) > MOST_CASES:
        raise SuiteMalformed(source, [("cases", f"more than {MOST_CASES} with the saved ones")])
    return suite.model_copy(update={"cases": [*suite.cases, *saved]}) if saved else suite


def _shown(path: Path) -> str:
    """The file as people know it: within its app."""
    return str(Path(*path.parts[-3:]))
