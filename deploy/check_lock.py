"""Are the locks in step with what they were made from? Looks at files only, never at a network.

`requirements.lock` is made from `pyproject.toml` with all its extras, `requirements-production.lock` from
what a deployment runs; the lock of each peer of the benchmarks, and of their load, from the `requirements.in`
beside it. How each is made anew stands in docs/deploy.md and docs/benchmarks.md.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
BENCHMARKS = "benchmarks"
EVERYTHING = "requirements.lock"
PRODUCTION = "requirements-production.lock"
PRODUCTION_EXTRAS = ("parquet",)
LOCKED = re.compile(r"^(?P<requirement>[^#\s].*?)\s*\\?$")
INDEX = re.compile(r"^\s*(-i|--index-url|--extra-index-url|--find-links|-f|--trusted-host)\b")


@dataclass(frozen=True)
class Locked:
    """One line of a lock, and the hashes under it."""

    requirement: Requirement
    hashes: frozenset[str]


def complaints() -> list[str]:
    """What does not fit, a sentence each."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {})
    wanted = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    found = [*_of_one(EVERYTHING, "pyproject.toml", wanted), *_of_production(project)]
    for source in sorted((PROJECT / BENCHMARKS).glob("**/requirements.in")):
        folder = source.parent.relative_to(PROJECT).as_posix()
        lines = source.read_text().split()
        found += _of_one(f"{folder}/requirements.lock", f"{folder}/requirements.in", lines)
    return found


def _of_production(project: dict[str, object]) -> Iterator[str]:
    """A deployment runs what was tested, and none of what only tests need."""
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    dependencies = project["dependencies"]
    assert isinstance(dependencies, list)
    wanted = [*dependencies, *(one for name in PRODUCTION_EXTRAS for one in extras[name])]
    yield from _of_one(PRODUCTION, "pyproject.toml", wanted)
    tested = _read(EVERYTHING)
    kept = _read(PRODUCTION)
    for name, locked in kept.items():
        if tested.get(name) != locked:
            yield f"{name} is not locked in {PRODUCTION} as it is in {EVERYTHING}."
    for extra in sorted(set(extras) - set(PRODUCTION_EXTRAS)):
        for one in extras[extra]:
            name = canonicalize_name(Requirement(one).name)
            if name in kept and name not in _names(wanted):
                yield f"{name} is of the extra {extra} and in {PRODUCTION}."


def _of_one(lock: str, source: str, wanted: Iterable[str]) -> list[str]:
    lines = (PROJECT / lock).read_text().splitlines()
    found = [
        f"{lock} names an index in line {number}."
        for number, line in enumerate(lines, start=1)
        if INDEX.match(line)
    ]
    locked = _read(lock)
    for each in locked.values():
        if not each.hashes:
            found.append(f"{each.requirement.name} is locked without a hash in {lock}.")
    for text in wanted:
        asked = Requirement(text)
        kept = locked.get(canonicalize_name(asked.name))
        if kept is None:
            found.append(f"{asked.name} is in {source} and not in {lock}.")
        elif kept.requirement.specifier != asked.specifier:
            found.append(
                f"{asked.name}: {source} says {asked.specifier}, "
                f"{lock} says {kept.requirement.specifier}."
            )
    return found


def _read(lock: str) -> dict[str, Locked]:
    """What a lock holds, by its plain name."""
    read: dict[str, Locked] = {}
    lines = (PROJECT / lock).read_text().splitlines()
    for number, line in enumerate(lines):
        if line[:1] in {"", " ", "#", "-"}:
            continue
        match = LOCKED.match(line)
        requirement = Requirement(match["requirement"]) if match else Requirement(line)
        hashes = set()
        for following in lines[number + 1 :]:
            if not following.startswith(" "):
                break
            hashes.add(following.strip().rstrip("\\").strip())
        given = frozenset(each for each in hashes if each.startswith("--hash=sha256:"))
        read[canonicalize_name(requirement.name)] = Locked(requirement, given)
    return read


def _names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


if __name__ == "__main__":
    problems = complaints()
    sys.stdout.write("\n".join(problems))
    sys.exit(bool(problems))
