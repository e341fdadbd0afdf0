"""The files of deploy/systemd, read as systemd reads them: a unit, and the drop-ins that its name brings along."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

SYSTEMD = Path(__file__).resolve().parent.parent.parent / "deploy" / "systemd"
#: The part that each unit is.
UNITS = {
    "migrate": "countersign-migrate.service",
    "web": "countersign-web@8001.service",
    "resumes": "countersign-worker@resumes.service",
    "runs": "countersign-worker@runs.service",
    "background": "countersign-worker@background.service",
    "scheduler": "countersign-scheduler.service",
}


def lines_of(unit: str) -> list[tuple[str, str]]:
    """The keys and values of a unit and its drop-ins, in the order in which they are taken."""
    template = re.sub(r"@[^.]+", "@", unit)
    folders = ["countersign-.service.d", f"{template}.d", f"{unit}.d"]
    drop_ins = {path.name: path for folder in folders for path in (SYSTEMD / folder).glob("*.conf")}
    texts = [(SYSTEMD / template).read_text()]
    texts += [drop_ins[name].read_text() for name in sorted(drop_ins)]
    return re.findall(r"^(\w+)=(.*)$", "\n".join(texts), re.MULTILINE)


def all_of(unit: str, key: str) -> list[str]:
    """Every value of a key that may be said several times; an empty one forgets those before it."""
    found: list[str] = []
    for name, value in lines_of(unit):
        if name == key:
            found = [*found, value] if value else []
    return found


def last_of(unit: str, key: str) -> str:
    """The value of a key of which the last one counts."""
    return [value for name, value in lines_of(unit) if name == key][-1]


def environment_of(unit: str) -> dict[str, str]:
    """What `Environment=` gives the unit."""
    words = [word for line in all_of(unit, "Environment") for word in shlex.split(line)]
    return dict(word.split("=", 1) for word in words)
