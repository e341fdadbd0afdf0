"""The deployment of compose.yaml at work, without Docker: `unshare -mn … -m tests.deploy.rehearsal FOLDER … running`.

Inside the namespaces that `tests.deploy.rehearsal` was started in: a network of its own, PostgreSQL and Redis of this
machine with the files of deploy/compose, and each part in the image's root, read-only, as the image's account, with
the environment, secrets and volumes that compose.yaml gives it. NGINX names an nginx, its configuration is ours.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from websockets.sync.client import connect

PROJECT = Path(__file__).resolve().parent.parent.parent
COMPOSE = PROJECT / "deploy" / "compose"
HOST = "countersign.example"
ROOT = Path(os.environ["IMAGE_ROOT"])
UID, GID = os.environ["IMAGE_USER"].split(":")
FOLDER = ROOT.parent / "running"
NGINX = os.environ.get("NGINX", "nginx")
SERVICES: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
PROCESSES: dict[str, subprocess.Popen[bytes]] = {}


def sh(command: str, **environment: str) -> str:
    done = subprocess.run(
        ["sh", "-ec", command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout}{done.stderr}")
    return done.stdout


def until(condition: Callable[[], object], what: str, seconds: float = 600) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            logs = {path.name: path.read_text()[-1500:] for path in FOLDER.glob("*.log")}
            raise SystemExit(
                f"Not so: {what}\n" + "\n".join(f"--- {n}\n{t}" for n, t in logs.items())
            )
        time.sleep(0.2)
    return found


def value(text: object) -> str:
    """What compose makes of `${NAME:-otherwise}` in an environment that has none of them."""
    given = str(text).replace(
        "${COUNTERSIGN_HOST_NAME:?Run deploy/compose/make_secrets.sh HOST first}", HOST
    )
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", given)


def start(name: str, service: str, *, wait: bool = False, **environment: str) -> None:
    """One container: mounts of its own, the read-only root, nothing but what compose gives it."""
    given = SERVICES[service]
    mounts = [
        f"mount -t tmpfs -o mode=1777 tmpfs {ROOT}/tmp",
        f"mount -t tmpfs -o mode=0700,uid={UID},gid={GID} tmpfs {ROOT}/data",
        f"mkdir -p {ROOT}/run/secrets && mount -t tmpfs tmpfs {ROOT}/run/secrets",
        *(f"cp {COPY}/secrets/{secret} {ROOT}/run/secrets/" for secret in given["secrets"]),
    ]
    for volume in given.get("volumes", []):
        kept, target, *rest = volume.split(":")
        there, where = FOLDER / "volumes" / kept, f"{ROOT}{target}"
        there.mkdir(parents=True, exist_ok=True)
        os.chown(there, int(UID), int(GID))
        mounts.append(f"mkdir -p {where} && mount --bind {there} {where}")
        mounts += [f"mount -o remount,bind,ro {where}"] if rest else []
    mounts += [f"mkdir -p {ROOT}/keys", f"mount -o remount,bind,ro {ROOT}"]
    # Volumes outside /data have their folder made by Docker.
    words = [value(word) for word in given.get("command", ["web"])]
    inside = shlex.join(
        [
            "chroot",
            f"--userspec={UID}:{GID}",
            str(ROOT),
            "/opt/countersign/bin/python",
            "manage.py",
            *words,
        ]
    )
    inside = f"cd {ROOT}/app && exec {inside}".replace(
        " /opt/countersign", " /bin/sh -c 'cd /app && exec \"$@\"' x /opt/countersign"
    )
    settings = {key: value(each) for key, each in given["environment"].items()}
    image = json.loads(os.environ["IMAGE_ENVIRONMENT"])
    log = (FOLDER / f"{name}.log").open("wb")
    PROCESSES[name] = subprocess.Popen(
        ["unshare", "-m", "sh", "-ec", "\n".join([*mounts, inside])],
        env={**image, **settings, **environment},
        stdout=log,
        stderr=log,
    )
    if wait and PROCESSES[name].wait(900):
        raise SystemExit(f"{name} failed:\n{(FOLDER / f'{name}.log').read_text()}")


COPY = FOLDER / "compose"


def servers() -> None:
    """PostgreSQL and Redis by the files of compose, on the names that it gives them."""
    sh("ip link set lo up")
    hosts = FOLDER / "hosts"
    hosts.write_text(f"127.0.0.1 localhost postgres redis {HOST}\n")
    for where in (Path("/etc/hosts"), ROOT / "etc/hosts"):
        sh(f"mount --bind {hosts} {where}")
    shutil.copytree(COMPOSE, COPY)
    sh(f"{COPY}/make_secrets.sh {HOST} && cat {COPY}/.env")
    sh(
        f"mkdir -p /run/secrets && mount --bind {COPY}/secrets /run/secrets && chmod 755 /run/secrets"
    )
    data = FOLDER / "postgres"
    sh(f"install -d -o postgres -g postgres {data} {data}/socket")
    binaries = os.environ.get("POSTGRES_BIN", "/usr/lib/postgresql/15/bin")
    sh(
        f"runuser -u postgres -- {binaries}/initdb -D {data}/data --auth-host=scram-sha-256 --auth-local=scram-sha-256 "
        "--pwfile=/run/secrets/postgres_password -U postgres --data-checksums"
    )
    flags = " ".join(f"-{each[1:]}" for each in SERVICES["postgres"]["command"][1:])
    log = (FOLDER / "postgres.log").open("wb")
    PROCESSES["postgres"] = subprocess.Popen(
        [
            "runuser",
            "-u",
            "postgres",
            "--",
            f"{binaries}/postgres",
            "-D",
            f"{data}/data",
            "-k",
            f"{data}/socket",
            *shlex.split(flags),
        ],
        stdout=log,
        stderr=log,
    )
    until(
        lambda: (
            subprocess.run(
                [f"{binaries}/pg_isready", "-h", "127.0.0.1"], capture_output=True, check=False
            ).returncode
            == 0
        ),
        "PostgreSQL answers",
    )
    sh(
        f"{COPY}/logins.sh",
        POSTGRES_USER="postgres",
        PGHOST=f"{data}/socket",
        PGPASSWORD=(COPY / "secrets/postgres_password").read_text(),
    )
    store = FOLDER / "redis"
    store.mkdir()
    conf = (COPY / "redis.conf").read_text().replace("dir /data", f"dir {store}")
    (FOLDER / "redis.conf").write_text(conf)
    from countersign.embedded.redis import find_server

    log = (FOLDER / "redis.log").open("wb")
    PROCESSES["redis"] = subprocess.Popen(
        [str(find_server()), str(FOLDER / "redis.conf")], stdout=log, stderr=log
    )


def proxy() -> None:
    """nginx with our files, as an account without rights."""
    there = FOLDER / "nginx"
    there.mkdir()
    for name in ("nginx.conf", "upstream.conf"):
        shutil.copy(PROJECT / "deploy" / "proxy" / name, there)
    shutil.copy(os.environ["MIME_TYPES"], there / "mime.types")
    log = (FOLDER / "nginx.log").open("wb")
    PROCESSES["proxy"] = subprocess.Popen(
        [NGINX, "-c", str(there / "nginx.conf"), "-g", "daemon off; user nobody nogroup;"],
        stdout=log,
        stderr=log,
    )


class Browser:
    """A client of the proxy that keeps cookies."""

    def __init__(self) -> None:
        self.trust = ssl.create_default_context(cafile=str(COPY / "secrets/tls_certificate"))
        self.cookies: dict[str, str] = {}

    def ask(
        self, method: str, path: str, body: str = "", **headers: str
    ) -> tuple[int, dict[str, str], str]:
        link = http.client.HTTPSConnection(HOST, 8443, context=self.trust, timeout=120)
        sent = {"Cookie": self.cookie, "Host": HOST, **headers}
        if body:
            sent |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Referer": f"https://{HOST}/",
            }
        link.request(method, path, body or None, sent)
        answer = link.getresponse()
        for each in answer.headers.get_all("Set-Cookie") or []:
            key, _, rest = each.partition("=")
            self.cookies[key] = rest.split(";")[0]
        return answer.status, dict(answer.headers.items()), answer.read().decode(errors="replace")

    @property
    def cookie(self) -> str:
        return "; ".join(f"{key}={each}" for key, each in self.cookies.items())

    def sign_in(self, name: str, password: str) -> None:
        _, _, page = self.ask("GET", "/accounts/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page[:500]
        status, _, page = self.ask(
            "POST",
            "/accounts/login/",
            f"csrfmiddlewaretoken={token[1]}&login={name}&password={password}",
        )
        assert status == 302, (status, page[:2000])


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def ready(port: int) -> dict[str, Any]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        link.request("GET", "/health/ready", headers={"Host": "127.0.0.1"})
        return json.loads(link.getresponse().read())
    except OSError:
        return {"ready": False}


def look() -> None:
    """What a person, and somebody who means no good, find at the proxy."""
    made = 'from accounts.models import User; User.objects.create_superuser("first", password="a-long-password-of-one")'
    SERVICES["shell"] = SERVICES["web"] | {"command": ["shell", "-c", made]}
    start("shell", "shell", wait=True)
    browser = Browser()
    assert browser.ask("GET", "/metrics")[0] == 404
    assert browser.ask("GET", "/health/ready")[0] == 404
    status, _, _ = browser.ask("GET", "/")
    assert status == 302, status
    plain = http.client.HTTPConnection(HOST, 8080)
    plain.request("GET", "/inbox", headers={"Host": HOST})
    assert plain.getresponse().headers["Location"] == f"https://{HOST}/inbox"
    wrong = Browser()
    assert wrong.ask("GET", "/", Host="other.example")[0] == 400
    browser.sign_in("first", "a-long-password-of-one")
    assert "__Host-sessionid" in browser.cookies
    assert browser.ask("GET", "/")[0] == 200
    say("Pages, sign-in and cookies of https through the proxy: well.")
    seen = sh(
        f"PGPASSWORD=$(cat {COPY}/secrets/postgres_password) psql -XAtq -h 127.0.0.1 -U postgres -d countersign -c "
        '"SELECT count(*) FROM axes_accesslog" ; true'
    )
    say(f"Access log rows: {seen.strip()}.")
    uri = f"wss://{HOST}:8443/ws/inbox/"
    opening = {"Cookie": browser.cookie, "Host": HOST}
    with connect(
        uri,
        ssl=browser.trust,
        origin=f"https://{HOST}",
        additional_headers={"Cookie": opening["Cookie"]},
    ) as socket:
        socket.ping().wait(60)
        say("A socket through the proxy: well.")
        PROCESSES["web-1"].send_signal(signal.SIGTERM)
        PROCESSES["web-1"].wait(120)
        for _ in range(6):
            assert browser.ask("GET", "/")[0] == 200
        say("One web process of two ended: nobody noticed.")
    try:
        connect(
            uri,
            ssl=browser.trust,
            origin="https://evil.example",
            additional_headers={"Cookie": opening["Cookie"]},
        )
    except Exception as refusal:  # noqa: BLE001
        say(f"A socket of another origin: {refusal}.")
    else:
        raise SystemExit("A socket of another origin was accepted.")


def main() -> None:
    FOLDER.mkdir()
    FOLDER.chmod(0o755)
    try:
        servers()
        begun = time.monotonic()
        start("migrate", "migrate", wait=True)
        say(f"Migrated in {time.monotonic() - begun:.0f} s.")
        start("web-1", "web", PORT="8001", FORWARDED_ALLOW_IPS="127.0.0.1")
        start("web-2", "web", PORT="8002", FORWARDED_ALLOW_IPS="127.0.0.1")
        for name in ("resumes", "runs", "background", "scheduler"):
            start(name, name)
        found = until(
            lambda: (said := ready(8001)).get("ready") and ready(8002).get("ready") and said,
            "ready",
        )
        say(f"Ready; notes: {found['notes']}")
        proxy()
        until(
            lambda: (
                subprocess.run(
                    ["sh", "-c", f"exec 3<>/dev/tcp/{HOST}/8443"],
                    executable="/bin/bash",
                    check=False,
                    capture_output=True,
                ).returncode
                == 0
            ),
            "the proxy listens",
            120,
        )
        look()
        for name in ("scheduler", "resumes", "runs", "background", "web-2"):
            began = time.monotonic()
            PROCESSES[name].send_signal(signal.SIGTERM)
            code = PROCESSES[name].wait(240)
            say(f"{name} ended {time.monotonic() - began:.1f} s after SIGTERM with {code}.")
    finally:
        for process in reversed(PROCESSES.values()):
            if process.poll() is None:
                process.terminate()
        for process in PROCESSES.values():
            process.wait(120)


if __name__ == "__main__":
    main()
