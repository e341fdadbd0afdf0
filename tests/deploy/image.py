"""What the Dockerfile and .dockerignore say, read as Docker reads them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's lines: a word and the rest, with continued lines joined and comments left out."""
    text = (PROJECT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines() if line.strip()]  # type: ignore[misc]


def ignored() -> tuple[set[str], list[re.Pattern[str]]]:
    """The names that .dockerignore lets in, and what it takes out of them again."""
    allowed, out = set(), []
    for line in (PROJECT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#") or line == "*":
            continue
        if line.startswith("!"):
            allowed.add(line[1:])
        else:
            pattern = re.escape(line).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            out.append(re.compile(rf"{pattern}(?:/.*)?"))
    return allowed, out


def context() -> list[Path]:
    """The files that reach the image, by their paths in the project."""
    allowed, out = ignored()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [
        Path(name)
        for name in listed
        if name.split("/", 1)[0] in allowed
        and not any(pattern.fullmatch(name) for pattern in out)
        and (PROJECT / name).exists()
    ]
