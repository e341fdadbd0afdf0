"""The processes that make up a running product: what each is called and how it is started."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from countersign.config import Config

PROJECT = Path(__file__).resolve().parent.parent
GRACE_SECONDS = 5
WS_MAX_BYTES = 65_536


@dataclass(frozen=True)
class Program:
    """One process: its name for people and logs, its command line, what it inherits."""

    name: str
    arguments: tuple[str, ...]
    descriptors: tuple[int, ...] = ()


def programs(config: Config, *, listener: int | None = None) -> list[Program]:
    """Everything that a machine runs by itself. Pools of no workers are left out.

    `listener` is the descriptor of a listening socket that the web process is to use; without it,
    that process opens the port of the settings.
    """
    return [
        *_provider(config),
        web(config, listener=listener),
        *_pools(config),
        _manage("scheduler", "scheduler"),
    ]


def web(config: Config, *, listener: int | None = None) -> Program:
    """The web process, as `programs` has it."""
    door: tuple[str, ...] = ("--host", config.host, "--port", str(config.port))
    if listener is not None:
        door = ("--fd", str(listener))
    return Program(
        "web",
        (
            *(sys.executable, "-m", "uvicorn", "countersign.asgi:application", *door),
            *("--lifespan", "on", "--log-level", "warning", "--no-access-log"),
            "--no-server-header",
            # Whoever reads nothing is not kept for ever.
            *("--ws", "countersign.patient_sockets:PatientSocket"),
            # Nothing is taken from sockets, however well it was packed.
            *("--ws-max-size", str(WS_MAX_BYTES)),
            # Hints are a hundred bytes: compressing them takes as long again, and twice the memory of a socket.
            *("--ws-per-message-deflate", "false"),
            # Open sockets would otherwise hold the end of the process for ever.
            *("--timeout-graceful-shutdown", str(GRACE_SECONDS)),
        ),
        () if listener is None else (listener,),
    )


def _pools(config: Config) -> Iterator[Program]:
    sizes = {
        "resumes": config.resume_workers,
        "runs": config.run_workers,
        "background": config.background_workers,
    }
    for queue, size in sizes.items():
        if size:
            yield _manage(queue, "rqworker-pool", queue, "--num-workers", str(size))


def _provider(config: Config) -> Iterator[Program]:
    """The demo's payment provider, where the demo is to have one of its own on this machine."""
    if not config.demo or not config.demo_provider_url:
        return
    address = urlsplit(config.demo_provider_url)
    data = config.data_dir / "provider"
    yield Program(
        "payment provider",
        (
            *(sys.executable, "-m", "demo.provider"),
            *("--port", str(address.port), "--data", str(data)),
        ),
    )


def _manage(name: str, *arguments: str) -> Program:
    return Program(name, (sys.executable, str(PROJECT / "manage.py"), *arguments))
