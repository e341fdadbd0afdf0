"""Who is given what: each secret reaches the parts that docs/settings.md says use it, and no other."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from countersign.config import secret_fields, variable_of
from countersign.setting_words import SECTIONS
from tests.deploy.test_files import COMPOSE, DEPLOY, KUBERNETES, OURS, PODS
from tests.deploy.units import SYSTEMD, UNITS, all_of, environment_of, last_of
from tests.harness.cluster import PROJECT

KEYS = "/etc/countersign/keys"
#: A login without its password opens nothing.
NAME_ONLY = "postgresql://countersign_sealer@"
#: The parts that each word of the column *used by* stands for.
PARTS = {
    "all": set(UNITS),
    "web": {"web"},
    "workers": {"resumes", "runs", "background"},
    "resumes and runs workers": {"resumes", "runs"},
    "background worker": {"background"},
    "scheduler": {"scheduler"},
    "commands": {"migrate"},
    "`migrate`": {"migrate"},
}
USERS = {
    variable_of(name): set().union(*(PARTS.get(word, set()) for word in words.used_by.split(", ")))
    for described in SECTIONS.values()
    for name, words in described.items()
    if name in secret_fields()
}
# What is read from a file that is no setting of its own.
USERS["COUNTERSIGN_SIGNING_KEY_PATH"] = {"scheduler", "background"}


def in_compose() -> Iterator[tuple[str, str]]:
    """Each secret setting and part, as compose.yaml gives it; a secret that is mounted and not read has no name."""
    for part, service in OURS.items():
        read = set()
        for name, value in service["environment"].items():
            if name.endswith("_FILE"):
                read.add(str(value).removeprefix("/run/secrets/"))
                yield name.removesuffix("_FILE"), part
            elif name == "COUNTERSIGN_SIGNING_KEY_PATH":
                yield name, part
            elif name in USERS:
                assert value == "" or str(value).startswith(NAME_ONLY), (part, name)
        assert set(service["secrets"]) == read, part


def in_kubernetes() -> Iterator[tuple[str, str]]:
    literals = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    (given,) = literals["configMapGenerator"]
    shared = dict(line.split("=", 1) for line in given["literals"])
    made = {
        name: set(re.findall(r"--from-file=(\S+)", files))
        for name, files in re.findall(
            r"create secret generic (\S+)((?: \\\n\s+)?(?: ?--from-file=\S+)+)",
            (PROJECT / "docs" / "deploy.md").read_text().replace(" \\\n    ", " "),
        )
    }
    for part, pod in PODS.items():
        (container,) = pod["containers"]
        own = {each["name"]: each["value"] for each in container.get("env", [])}
        mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
        volumes = {
            each["name"]: each["secret"]["secretName"]
            for each in pod["volumes"]
            if "secret" in each
        }
        read: dict[str, set[str]] = {}
        for name, value in {**shared, **own}.items():
            if name.endswith("_FILE"):
                where, file = value.rsplit("/", 1)
                read.setdefault(volumes[mounts[where]], set()).add(file)
                yield name.removesuffix("_FILE"), part
            elif name in USERS and name != "COUNTERSIGN_SIGNING_KEY_PATH":
                assert value == "" or value.startswith(NAME_ONLY), (part, name)
        if "signing-key" in volumes:
            read[volumes["signing-key"]] = {"signing_key.pem"}
            yield "COUNTERSIGN_SIGNING_KEY_PATH", part
        # The guide makes what is read, and a part is handed nothing beside it.
        assert {name: made[name] for name in volumes.values()} == read, part


def in_systemd() -> Iterator[tuple[str, str]]:
    example = names_of(SYSTEMD / "environment.example")
    for part, unit in UNITS.items():
        given = environment_of(unit)
        loaded = {each.split(":")[0] for each in all_of(unit, "LoadCredential")}
        read = {
            value.removeprefix("%d/") for name, value in given.items() if name.endswith("_FILE")
        }
        assert loaded == read, part
        for name in given:
            if name.endswith("_FILE"):
                yield name.removesuffix("_FILE"), part
            elif name in USERS:
                assert name == "COUNTERSIGN_SIGNING_KEY_PATH"
                yield name, part
        # The shared file has the last word over `Environment=`, and a value beside its file ends the start.
        assert not set(given) & example, part
        beside = {name for name in example if f"{name}_FILE" in given}
        assert beside <= set(all_of(unit, "UnsetEnvironment")), part


def names_of(path: Path) -> set[str]:
    return set(re.findall(r"^(\w+)=", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("way", [in_compose, in_kubernetes, in_systemd])
def test_a_secret_reaches_who_uses_it_and_nobody_else(
    way: "type[Iterator[tuple[str, str]]]",
) -> None:
    given = set(way())
    named = {name for name, _ in given}
    assert {"DATABASE_SEALER_URL", "OPENAI_API_KEY", "COUNTERSIGN_METRICS_TOKEN"} <= named
    # Compose makes the log's key in the volume, once, when it migrates.
    assert given == {(name, part) for name in named for part in USERS[name]}


def test_keys_of_the_log_lie_where_other_parts_cannot_look() -> None:
    keyed = {
        name: [each for each in service.get("volumes", []) if each.startswith("keys:")]
        for name, service in OURS.items()
    }
    assert {name: each for name, each in keyed.items() if each} == {
        "migrate": ["keys:/data/keys"],
        "scheduler": ["keys:/keys"],
        "background": ["keys:/keys:ro"],
    }
    assert set(COMPOSE["secrets"]) >= {
        each for service in COMPOSE["services"].values() for each in service.get("secrets", [])
    }
    folders = {
        line.split()[1]: (line.split()[2], line.split()[3])
        for line in (SYSTEMD / "countersign.tmpfiles").read_text().splitlines()
        if line.startswith("d ")
    }
    # There before any unit starts and whether or not one runs: what is named without a minus has to be.
    assert folders[KEYS] == ("0700", "countersign-sealer")
    for part, unit in UNITS.items():
        signs = part in ("scheduler", "background")
        assert all_of(unit, "InaccessiblePaths") == ([] if signs else [KEYS]), part
        account = "countersign-sealer" if signs else "countersign"
        assert (last_of(unit, "User"), last_of(unit, "Group")) == (account, account)
        # Two accounts with one state folder: it is given to whichever starts last.
        assert all_of(unit, "StateDirectory") == [account]
        state = f"/var/lib/{account}"
        assert environment_of(unit)["COUNTERSIGN_DATA_DIR"] == state
        assert folders[state] == ("0700", account)
        if signs:
            path = environment_of(unit)["COUNTERSIGN_SIGNING_KEY_PATH"]
            assert path == f"{KEYS}/signing_key.pem"
            assert last_of(unit, "UMask") == "0027"
    (bound,) = all_of(UNITS["web"], "BindReadOnlyPaths")
    source, target = bound.split(":")
    assert folders[source] == ("2750", "countersign-sealer")
    assert folders[target] == ("0700", "countersign")


def test_figures_and_readiness_are_answered_by_no_proxy() -> None:
    nginx = (DEPLOY / "proxy" / "nginx.conf").read_text()
    closed = set(re.findall(r"location = (\S+) \{\s+return 404;", nginx))
    assert closed == {"/metrics", "/health/ready"}
    (ingress,) = [each for each in KUBERNETES if each["kind"] == "Ingress"]
    (rule,) = ingress["spec"]["rules"]
    behind = {
        each["metadata"]["name"]: each["spec"].get("selector")
        for each in KUBERNETES
        if each["kind"] == "Service"
    }
    paths = {
        each["path"]: (each["pathType"], behind[each["backend"]["service"]["name"]])
        for each in rule["http"]["paths"]
    }
    assert {path for path, way in paths.items() if way == ("Exact", None)} == closed
    assert set(paths) - closed == {"/"}


def test_commands_are_given_what_their_part_is_given(tmp_path: Path) -> None:
    pretended = tmp_path / "systemd-run"
    pretended.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    pretended.chmod(0o755)

    def told(*words: str) -> list[str]:
        return subprocess.run(
            [str(SYSTEMD / "manage.sh"), *words],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()

    for part, unit in (("web", "web"), ("worker", "runs"), ("sealer", "scheduler")):
        said = told(part, "audit_log", "status")
        account = last_of(UNITS[unit], "User")
        assert f"--property=User={account}" in said
        assert f"--property=Group={account}" in said
        assert said[-4:] == [
            "/opt/countersign/.venv/bin/python",
            "manage.py",
            "audit_log",
            "status",
        ]
        (name,) = [each.removeprefix("--unit=") for each in said if each.startswith("--unit=")]
        assert not name.startswith("countersign-"), "drop-ins for those would have the last word"
        loaded = {each for each in said if each.startswith("--property=LoadCredential=")}
        meant = {each for each in all_of(UNITS[unit], "LoadCredential") if "metrics" not in each}
        assert loaded == {f"--property=LoadCredential={each}" for each in meant}
        given = {each.removeprefix("--setenv=") for each in said if each.startswith("--setenv=")}
        assert given == {
            f"{key}={value.replace('%d', f'/run/credentials/{name}.service')}"
            for key, value in environment_of(UNITS[unit]).items()
            if not key.startswith(
                ("PYTHON", "PORT", "WORKERS", "COUNTERSIGN_HOST", "COUNTERSIGN_METRICS")
            )
        }
        taken = [
            f"--property=UnsetEnvironment={each}"
            for each in all_of(UNITS[unit], "UnsetEnvironment")
        ]
        assert [each for each in said if "UnsetEnvironment" in each] == taken


def test_systemd_takes_the_units_and_the_folders() -> None:
    # Where there is no systemd, nothing could be started by these files either.
    if shutil.which("systemd-analyze"):
        done = subprocess.run([SYSTEMD / "verify.sh"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
