"""Are the locks in step with what they were made from? Looks at files only, never at a network.

`requirements.lock` is made from `pyproject.toml`; the lock of each peer of the benchmarks, and of their
load, from the `requirements.in` beside it.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
BENCHMARKS = "benchmarks"
LOCKED = re.compile(r"^(?P<requirement>[^#\s].*?)\s*\\?$")
INDEX = re.compile(r"^\s*(-i|--index-url|--extra-index-url|--find-links|-f|--trusted-host)\b")


def complaints() -> list[str]:
    """What does not fit, a sentence each."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {})
    wanted = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    found = _of_one("requirements.lock", "pyproject.toml", wanted)
    for source in sorted((PROJECT / BENCHMARKS).glob("**/requirements.in")):
        folder = source.parent.relative_to(PROJECT).as_posix()
        lines = source.read_text().split()
        found += _of_one(f"{folder}/requirements.lock", f"{folder}/requirements.in", lines)
    return found


def _of_one(lock: str, source: str, wanted: Iterable[str]) -> list[str]:
    found = []
    lines = (PROJECT / lock).read_text().splitlines()
    locked: dict[str, Requirement] = {}
    for number, line in enumerate(lines):
        if INDEX.match(line):
            found.append(f"{lock} names an index in line {number + 1}.")
        if line[:1] in {"", " ", "#", "-"}:
            continue
        match = LOCKED.match(line)
        requirement = Requirement(match["requirement"]) if match else Requirement(line)
        locked[canonicalize_name(requirement.name)] = requirement
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if "--hash=sha256:" not in following:
            found.append(f"{requirement.name} is locked without a hash in {lock}.")
    for text in wanted:
        asked = Requirement(text)
        kept = locked.get(canonicalize_name(asked.name))
        if kept is None:
            found.append(f"{asked.name} is in {source} and not in {lock}.")
        elif kept.specifier != asked.specifier:
            found.append(
                f"{asked.name}: {source} says {asked.specifier}, {lock} says {kept.specifier}."
            )
    return found


if __name__ == "__main__":
    problems = complaints()
    sys.stdout.write("\n".join(problems))
    sys.exit(bool(problems))
