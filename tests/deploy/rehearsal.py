"""Makes the image's root without Docker, by the very lines of the Dockerfile.

`python -m tests.deploy.rehearsal FOLDER [COMMAND …]`; the command runs where the root is, and learns of it by
`IMAGE_ROOT`, `IMAGE_USER` and `IMAGE_ENVIRONMENT`. Each stage is an overlay of this machine's root in a mount
namespace of its own (Linux, as root: `unshare -m`). FROM is the one line that is not followed: the base is this
machine, whose Python must fit. Not collected by pytest: it installs packages.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.image import context, instructions

PROJECT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Stage:
    """A root that is being made: what is written above this machine's, and what holds for its next line."""

    name: str
    root: Path
    workdir: str = "/"
    user: str = "0:0"
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def mount(stage: Stage) -> None:
    """Put an overlay of `/` at the stage's root."""
    upper, work = stage.root.with_suffix(".upper"), stage.root.with_suffix(".work")
    for folder in (stage.root, upper, work):
        folder.mkdir(parents=True)
    options = f"lowerdir=/,upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, stage.root], check=True)
    for name in ("proc", "dev"):
        subprocess.run(["mount", "--bind", f"/{name}", stage.root / name], check=True)
    # Where this machine's Python lies in somebody's home, other accounts have to pass.
    for above in Path(sys.base_prefix).parents:
        there = stage.root / str(above).lstrip("/")
        there.chmod(there.stat().st_mode | 0o111)


def run(stage: Stage, line: str) -> None:
    """RUN, in the stage's folder with its environment."""
    sys.stdout.write(f"[{stage.name}] RUN {line[:100]}\n")
    sys.stdout.flush()
    enter = f"cd {shlex.quote(stage.workdir)} && {line}"
    network = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.endswith("_proxy")}
    subprocess.run(
        ["chroot", str(stage.root), "/bin/sh", "-c", enter],
        env={**network, **stage.environment},
        check=True,
    )


def copy(stage: Stage, stages: dict[str, Stage], rest: str) -> None:
    """COPY, from the context as .dockerignore leaves it or from another stage."""
    words = shlex.split(rest)
    source = None
    if words[0].startswith("--from="):
        source = stages[words.pop(0).removeprefix("--from=")].root
    *names, target = words
    into = stage.root / str(Path(stage.workdir) / target).lstrip("/")
    if source is not None:
        (name,) = names
        shutil.copytree(source / name.lstrip("/"), into, symlinks=True, dirs_exist_ok=True)
        return
    for path in context():
        if names == ["."] or str(path) in names:
            there = into / path
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / path, there)


def make(folder: Path) -> Stage:
    """Follow the Dockerfile to its end; the last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage("", folder)
    for word, rest in instructions():
        if word == "FROM":
            name = rest.split(" AS ")[-1] if " AS " in rest else "image"
            stage = stages[name] = Stage(name, folder / name)
            mount(stage)
        elif word == "WORKDIR":
            stage.workdir = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            for pair in shlex.split(rest):
                key, value = pair.split("=", 1)
                known = stage.environment
                stage.environment[key] = re.sub(
                    r"\$(\w+)", lambda found, known=known: known.get(found[1], ""), value
                )
        elif word == "RUN":
            run(stage, rest)
        elif word == "COPY":
            copy(stage, stages, rest)
        elif word == "USER":
            stage.user = rest
        elif word in ("ENTRYPOINT", "CMD"):
            setattr(stage, {"ENTRYPOINT": "entrypoint", "CMD": "command"}[word], json.loads(rest))
        elif word not in ("ARG", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"):
            raise SystemExit(f"{word} is not known here.")
    return stage


if __name__ == "__main__":
    made = make(Path(sys.argv[1]))
    sys.stdout.write(f"The image's root is at {made.root}, its account is {made.user}.\n")
    if sys.argv[2:]:
        # In the same namespace, where the overlay is: a shell, or a test of it.
        environment = os.environ | {"IMAGE_ROOT": str(made.root), "IMAGE_USER": made.user}
        environment["IMAGE_ENVIRONMENT"] = json.dumps(made.environment)
        sys.exit(subprocess.run(sys.argv[2:], env=environment, check=False).returncode)
