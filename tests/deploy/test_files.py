"""The files of a deployment: they name settings that there are, give secrets to who needs them, and are closed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from countersign.config import known_names, secret_fields, variable_of
from countersign.setting_pages import complaints as of_settings
from countersign.setting_pages import page
from tests.deploy.image import context, instructions
from tests.harness.cluster import PROJECT, product_environment

DEPLOY = PROJECT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
OURS = {
    name: service
    for name, service in COMPOSE["services"].items()
    if name not in ("postgres", "redis", "proxy")
}
FILES = {variable_of(name) + "_FILE" for name in secret_fields()}
OF_OTHERS = {"FORWARDED_ALLOW_IPS", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "WORKERS"}
KUBERNETES = [
    document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in yaml.safe_load_all(path.read_text())
]
PODS = {
    each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"][
        "template"
    ]["spec"]
    for each in KUBERNETES
    if each["kind"] in ("Deployment", "Job")
}


def named_settings() -> dict[str, set[str]]:
    """The variables that each file gives to processes of ours."""
    found = {f"compose {name}": set(service["environment"]) for name, service in OURS.items()}
    for path in (DEPLOY / "systemd").rglob("*"):
        if path.is_file() and path.suffix in (".service", ".conf", ".example"):
            text = re.sub(r"^Environment=", "", path.read_text(), flags=re.MULTILINE)
            lines = [line for line in text.splitlines() if not line.startswith("#")]
            found[f"systemd {path.name}"] = set(
                re.findall(r"(?:^|\s)([A-Z][A-Z_]+)=", "\n".join(lines))
            )
    literals = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    (given,) = literals["configMapGenerator"]
    found["kubernetes"] = {line.split("=", 1)[0] for line in given["literals"]}
    for name, pod in PODS.items():
        (container,) = pod["containers"]
        found[f"kubernetes {name}"] = {each["name"] for each in container.get("env", [])}
    (environment,) = [
        rest for word, rest in instructions() if word == "ENV" and "COUNTERSIGN" in rest
    ]
    found["image"] = set(re.findall(r"(COUNTERSIGN_\w+)=", environment))
    return found


def test_every_setting_that_a_deployment_names_is_one() -> None:
    named = named_settings()
    assert {"compose web", "systemd environment.example", "kubernetes scheduler"} <= set(named)
    wrong = {
        place: names - known_names() - FILES - OF_OTHERS
        for place, names in named.items()
        if names - known_names() - FILES - OF_OTHERS
    }
    assert wrong == {}


def test_the_reference_of_settings_is_in_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert of_settings() == []
    text = page()
    for name in known_names() - {"COUNTERSIGN_SECRET_*"}:
        assert f"| `{name}` |" in text
    assert "| `COUNTERSIGN_UNDO_SECONDS` | seconds; 0 to 60 | 10 |" in text
    assert "| `COUNTERSIGN_LEASE_SECONDS` | seconds; above 0 | 30 | workers |" in text
    assert "| `SECRET_KEY` | text; **secret** |" in text
    from countersign import setting_pages

    monkeypatch.setattr(setting_pages, "PAGE", tmp_path / "settings.md")
    assert setting_pages.complaints() == [
        "docs/settings.md is behind: run manage.py settings_reference."
    ]
    fewer = {title: {} for title in setting_pages.SECTIONS}
    monkeypatch.setattr(setting_pages, "SECTIONS", fewer)
    assert (
        "DATABASE_URL has no words in countersign/setting_words.py." in setting_pages.complaints()
    )


def test_every_container_is_closed_and_looked_at() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "healthcheck" in service, name
        assert "privileged" not in service, name
        assert "cap_add" not in service, name
        # Published by the proxy alone.
        assert ("ports" in service) is (name == "proxy")
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert "inside" not in COMPOSE["services"]["proxy"]["networks"]
    for name, pod in PODS.items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            closed = container["securityContext"]
            assert closed["readOnlyRootFilesystem"] is True
            assert closed["allowPrivilegeEscalation"] is False
            assert closed["capabilities"] == {"drop": ["ALL"]}
    (user,) = [rest for word, rest in instructions() if word == "USER"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)


def test_a_worker_has_longer_to_end_than_a_model_has_to_answer() -> None:
    from countersign.config import Config

    longest = Config.model_fields["model_timeout_seconds"].default
    for name in ("resumes", "runs", "background"):
        assert int(OURS[name]["stop_grace_period"].removesuffix("s")) > longest
        assert PODS[name]["terminationGracePeriodSeconds"] > longest
    unit = (DEPLOY / "systemd" / "countersign-worker@.service").read_text()
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(stop) > longest


def test_what_reaches_the_image_is_enough_to_start_and_holds_nothing_else(tmp_path: Path) -> None:
    taken = context()
    tops = {path.parts[0] for path in taken}
    assert not tops & {"tests", "docs", "benchmarks", "deploy", ".git", ".venv", ".countersign"}
    assert not [path for path in taken if path.suffix in (".pem", ".key", ".pyc")]
    for path in taken:
        there = tmp_path / path
        there.parent.mkdir(parents=True, exist_ok=True)
        there.symlink_to(PROJECT / path)
    # `manage.py check` is a line of the Dockerfile; the demo is not asked for. A copy, since Python follows links.
    for name in ("manage.py",):
        (tmp_path / name).unlink()
        (tmp_path / name).write_bytes((PROJECT / name).read_bytes())
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=tmp_path,
        env=product_environment(COUNTERSIGN_DATA_DIR=str(tmp_path / "none"))
        | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "none").exists()
    assert os.access(PROJECT / "deploy" / "compose" / "logins.sh", os.X_OK)
