"""Is requirements.lock in step with pyproject.toml? Looks at the two files only, never at a network."""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
LOCKED = re.compile(r"^(?P<requirement>[^#\s].*?)\s*\\?$")
INDEX = re.compile(r"^\s*(-i|--index-url|--extra-index-url|--find-links|-f|--trusted-host)\b")


def complaints() -> list[str]:
    """What does not fit, a sentence each."""
    found = []
    lines = (PROJECT / "requirements.lock").read_text().splitlines()
    locked: dict[str, Requirement] = {}
    for number, line in enumerate(lines):
        if INDEX.match(line):
            found.append(f"requirements.lock names an index in line {number + 1}.")
        if line[:1] in {"", " ", "#", "-"}:
            continue
        match = LOCKED.match(line)
        requirement = Requirement(match["requirement"]) if match else Requirement(line)
        locked[canonicalize_name(requirement.name)] = requirement
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if "--hash=sha256:" not in following:
            found.append(f"{requirement.name} is locked without a hash.")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {})
    for text in [*project["dependencies"], *(one for extra in extras.values() for one in extra)]:
        wanted = Requirement(text)
        kept = locked.get(canonicalize_name(wanted.name))
        if kept is None:
            found.append(f"{wanted.name} is in pyproject.toml and not in requirements.lock.")
        elif kept.specifier != wanted.specifier:
            found.append(
                f"{wanted.name}: pyproject.toml says {wanted.specifier}, "
                f"requirements.lock says {kept.specifier}."
            )
    return found


if __name__ == "__main__":
    problems = complaints()
    sys.stdout.write("\n".join(problems))
    sys.exit(bool(problems))
