"""The product on several hosts: brought up by the guide, over addresses of the network alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

import django

from countersign.programs import PROJECT
from countersign.testing.cluster import short_folder
from tests.faults.outside import Recorder
from tests.hosts.machine import Machine
from tests.hosts.network import OUTSIDE, Network
from tests.hosts.proxy import Proxy, Upstream
from tests.hosts.servers import DatabaseHost, RedisHost, until

if TYPE_CHECKING:
    from countersign.testing.model import ModelServer

#: By how many seconds the clock of a host is off.
CLOCKS: Final = {"web-2": -180, "worker-2": 240, "timer-1": -300}
WEB_PORT, PROXY_PORT = 8000, 8080
LEASE_SECONDS: Final = 6.0
SHORT: Final = {
    "COUNTERSIGN_LEASE_SECONDS": str(LEASE_SECONDS),
    "COUNTERSIGN_LEASE_RENEWAL_SECONDS": "2",
    "COUNTERSIGN_SWEEP_SECONDS": "0.5",
    "COUNTERSIGN_UNDO_SECONDS": "0",
    "COUNTERSIGN_SIGN_OF_LIFE_SECONDS": "6",
    "COUNTERSIGN_MODEL_TIMEOUT_SECONDS": "60",
    "COUNTERSIGN_MODEL_SLEEP_SECONDS": "2",
    "COUNTERSIGN_OTHER_RELEASE_SECONDS": "20",
}
POOLS: Final = {"resumes": 2, "runs": 3, "background": 1}
#: Hosts on which processes may be made to stand still in the middle of something.
STRUCK: Final = ("worker-1", "timer-1")
HOSTS: Final = ("database", "redis", "web-1", "web-2", "worker-1", "worker-2", "timer-1", "timer-2")


class House:
    """All hosts. `open` brings them up and sets Django up in this process, which is the outside."""

    def __init__(self) -> None:
        self.folder = short_folder()
        self.folder.chmod(0o755)
        self.network = Network()
        self.machines: dict[str, Machine] = {}
        self.clock = self._compile_clock()
        for name in HOSTS:
            self.add(name)
        self.database = DatabaseHost(self.machines["database"])
        self.redis = RedisHost(self.machines["redis"])
        self.recorder = Recorder(host=OUTSIDE)
        self.proxy = Proxy(OUTSIDE, PROXY_PORT)
        self.upstreams: dict[str, Upstream] = {}
        self.secrets = {"SECRET_KEY": token_hex(32), "COUNTERSIGN_COIN_SECRET": token_hex(32)}
        self.model: ModelServer | None = None
        #: The checkout that hosts run, unless another is named.
        self.project = PROJECT

    def add(self, name: str) -> Machine:
        """A host of that name, with nothing on it."""
        off = CLOCKS.get(name)
        clock = {"LD_PRELOAD": str(self.clock), "HOST_CLOCK_SECONDS": str(off)} if off else {}
        made = Machine(name, self.network.add(name), self.folder / name, clock=clock)
        self.machines[name] = made
        return made

    def open(self, model: ModelServer) -> None:
        """Bring everything up, one step of `docs/operations.md` after the other."""
        self.model = model
        self.database.set_up()
        self.redis.start()
        first = self.machines["web-1"]
        first.environment = self.environment(first)
        first.manage("migrate", "--verbosity", "0")
        for name in HOSTS[3:]:
            self.furnish(self.machines[name])
        first.manage("sync_agents", "--activate")
        self._set_django_up()
        for name in ("timer-1", "timer-2"):
            self.start_timer(name)
        for name in ("worker-1", "worker-2"):
            self.start_workers(self.machines[name])
        for name in ("web-1", "web-2"):
            self.start_web(name)
        for name in ("web-1", "web-2"):
            until(lambda name=name: self.is_ready(name), 120, f"{name} is ready")

    def is_ready(self, name: str, port: int = WEB_PORT) -> bool:
        """Whether the readiness page of a web host is green."""
        url = f"http://{self.machines[name].address}:{port}/health/ready"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, headers={"Host": OUTSIDE}), timeout=10
            ):
                return True
        except OSError:
            return False

    def furnish(self, machine: Machine) -> None:
        """Give a further host what `docs/many-hosts.md` says: the settings, and the key of the log."""
        machine.environment = self.environment(machine)
        key = Path("data") / "keys" / "signing_key.pem"
        (machine.folder / key).parent.mkdir(parents=True, mode=0o700)
        shutil.copy2(self.machines["web-1"].folder / key, machine.folder / key)

    def environment(self, machine: Machine) -> dict[str, str]:
        """What the product's processes on that host read."""
        assert self.model is not None
        points: dict[str, str] = {}
        if machine.name in STRUCK:
            folder = machine.folder / "points"
            folder.mkdir(exist_ok=True)
            points = {"COUNTERSIGN_FAULT_POINTS": str(folder), "COUNTERSIGN_DEBUG": "1"}
        return {
            **points,
            **self.database.environment(),
            **self.secrets,
            **SHORT,
            "REDIS_URL": self.redis.url,
            "ALLOWED_HOSTS": OUTSIDE,
            "PORT": str(WEB_PORT),
            "COUNTERSIGN_HOST": machine.address,
            "COUNTERSIGN_DATA_DIR": str(machine.folder / "data"),
            "COUNTERSIGN_SECURE": "0",
            "COUNTERSIGN_APPS": "tests.faults.works",
            "OPENAI_BASE_URL": self.model.url,
            "OPENAI_API_KEY": "test",
            "OPENAI_MODEL": "scripted",
            "WORKS_RECORDER_URL": self.recorder.url,
        }

    # -- processes

    def start_web(
        self, name: str, *, project: Path | None = None, port: int = WEB_PORT, beside: bool = False
    ) -> None:
        """Start a web process, to which the proxy sends connections. `beside`: it does not yet."""
        machine = self.machines[name]
        called = f"web-{port}"
        machine.start(
            called,
            [
                *(sys.executable, "-m", "uvicorn", "countersign.asgi:application"),
                *("--host", machine.address, "--port", str(port), "--lifespan", "on"),
                *("--no-access-log", "--no-server-header", "--log-level", "warning"),
                *("--ws", "countersign.patient_sockets:PatientSocket"),
                *("--ws-max-size", "65536", "--timeout-graceful-shutdown", "5"),
            ],
            project=project or self.project,
        )
        if not beside and f"{name}:{port}" not in self.upstreams:
            self.join_proxy(name, port)

    def join_proxy(self, name: str, port: int) -> None:
        """Let the proxy send connections to a web process, too."""
        self.upstreams[f"{name}:{port}"] = self.proxy.add(self.machines[name].address, port)

    def start_workers(
        self, machine: Machine, pools: Mapping[str, int] = POOLS, *, project: Path | None = None
    ) -> None:
        """Start a pool for each queue."""
        for queue, number in pools.items():
            command = ["manage.py", "rqworker-pool", queue, "--num-workers", str(number)]
            called = queue if queue not in machine.running else f"{queue}-new"
            machine.start(called, [sys.executable, *command], project=project or self.project)

    def start_timer(self, name: str, *, project: Path | None = None) -> None:
        """Start a scheduler. All but the first adopt the log before."""
        machine = self.machines[name]
        if name != "timer-1" and not (machine.folder / "data" / "audit" / "checkpoint").exists():
            until(lambda: self.sealed() > 0, 60, "the audit log is begun")
            machine.manage("audit_log", "adopt")
        called = "scheduler" if "scheduler" not in machine.running else "scheduler-new"
        machine.start(
            called, [sys.executable, "manage.py", "scheduler"], project=project or self.project
        )

    def retire(self, name: str) -> None:
        """Ask everything of the old release on a web host, and on the other two of its number, to end."""
        for kind in ("web", "timer", "worker"):
            machine = self.machines[name.replace("web", kind)]
            for called in (f"web-{WEB_PORT}", "scheduler", *POOLS):
                if called in machine.running:
                    machine.stop(called)
                if f"{called}-new" in machine.running:
                    machine.running[called] = machine.running.pop(f"{called}-new")

    def sealed(self) -> int:
        """How many events the newest checkpoint of the log covers."""
        # Django is set up by now, and was not when this module was imported.
        from audit.services.sealing_state import sealing_state

        return int(sealing_state().signed)

    def arm(self, name: str, point: str) -> None:
        """Let the next process of the host that comes to the point stand still there."""
        made = self.machines[name].folder / "points" / f".{point}"
        made.write_text("stop")
        made.rename(made.with_name(point))

    def struck(self, name: str, point: str) -> bool:
        """Whether one does."""
        return any((self.machines[name].folder / "points").glob(f"{point}.used.*"))

    def resume(self, name: str) -> None:
        """Let what a fault point has stopped on the host go on."""
        for process in self.machines[name].running:
            self.machines[name].signal(process, signal.SIGCONT)

    def last_words(self) -> str:
        """The end of each log of each host."""
        said = []
        for machine in self.machines.values():
            for log in sorted(machine.folder.glob("*.log")):
                lines = log.read_text(errors="replace").splitlines()
                tail = [line for line in lines if '"level": "info"' not in line][-12:]
                said.append("\n".join([f"--- {machine.name} {log.stem}", *tail]))
        return "\n".join(said)

    def close(self) -> None:
        """End everything."""
        self.proxy.close()
        for machine in self.machines.values():
            if "postgres" in machine.running:
                self.database.kill()
            machine.kill()
        if self.model is not None:
            self.model.close()
        self.recorder.close()
        # The switch is gone once nothing holds a namespace any more.
        time.sleep(0.2)
        self.network.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- this process

    def _set_django_up(self) -> None:
        """This process looks into the same database, from outside."""
        machine = self.machines["web-1"]
        for name in list(os.environ):
            if name.startswith(("COUNTERSIGN_", "OPENAI_", "DATABASE_", "REDIS_")):
                del os.environ[name]
        os.environ.update(machine.environment)
        os.environ["COUNTERSIGN_DATA_DIR"] = str(self.folder / "outside")
        os.environ["DJANGO_SETTINGS_MODULE"] = "countersign.settings"
        django.setup()

    def _compile_clock(self) -> Path:
        made = self.folder / "clock.so"
        source = Path(__file__).with_name("clock.c")
        subprocess.run(
            ("cc", "-shared", "-fPIC", "-O2", "-o", str(made), str(source), "-ldl"), check=True
        )
        return made
