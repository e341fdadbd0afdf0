"""A switch with hosts on it: network namespaces, whose cables can be cut without a word to either end."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import Final

#: For benchmarks of network devices (RFC 2544): nobody's addresses.
PREFIX: Final = "198.18.7"
OUTSIDE: Final = f"{PREFIX}.1"
BITS: Final = 24


@dataclass(frozen=True)
class Cable:
    """A host's namespace, its address, and its port at the switch."""

    namespace: str
    address: str
    port: str


class Network:
    """The switch. Its own address, `OUTSIDE`, is where this process is: clients, proxy, model, bank.

    Needs the rights of root. Everything ends with `close`.
    """

    def __init__(self) -> None:
        self._mark = f"cs{os.getpid() % 100_000}"
        self.switch = f"{self._mark}s"
        self.cables: dict[str, Cable] = {}
        ip("link", "add", self.switch, "type", "bridge")
        ip("address", "add", f"{OUTSIDE}/{BITS}", "dev", self.switch)
        ip("link", "set", self.switch, "up")

    def add(self, name: str) -> Cable:
        """A host of that name, with a loopback of its own and a cable to the switch."""
        number = len(self.cables) + 10
        cable = Cable(f"{self._mark}-{name}", f"{PREFIX}.{number}", f"{self._mark}p{number}")
        inner = f"{self._mark}i{number}"
        ip("netns", "add", cable.namespace)
        self.cables[name] = cable
        ip("link", "add", cable.port, "type", "veth", "peer", "name", inner)
        ip("link", "set", inner, "netns", cable.namespace, "name", "eth0")
        ip("link", "set", cable.port, "master", self.switch, "up")
        for words in (
            ("address", "add", f"{cable.address}/{BITS}", "dev", "eth0"),
            ("link", "set", "lo", "up"),
            ("link", "set", "eth0", "up"),
        ):
            ip("-n", cable.namespace, *words)
        return cable

    def cut(self, name: str) -> None:
        """Lose every packet from and to the host, silently: both ends of the cable stay up, nothing is reset."""
        ip("link", "set", self.cables[name].port, "nomaster")

    def join(self, name: str) -> None:
        """Let its packets through again."""
        ip("link", "set", self.cables[name].port, "master", self.switch)

    def close(self) -> None:
        """Take the hosts and the switch away."""
        for cable in self.cables.values():
            ip("netns", "delete", cable.namespace)
        ip("link", "delete", self.switch)


def ip(*words: str) -> None:
    """Run `ip`. Raises RuntimeError with what it says."""
    done = subprocess.run(("ip", *words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
