"""Ports of this machine for servers of tests."""

from __future__ import annotations

import random
import socket

LASTING_PORTS = (20_000, 32_000)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def lasting_port() -> int:
    """A port that nobody listens on, from below those that are given out to whoever asks for any."""
    while not is_free(port := random.randrange(*LASTING_PORTS)):
        pass
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
