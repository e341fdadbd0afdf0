"""`manage.py sync_mcp`: read what MCP servers say of the tools that agents declare, and pin it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from agents.mcp_client import NotReached, list_tools
from agents.mcp_pins import Pin, PinFile, problem_of, read_pins
from agents.mcp_tools import Declared, declared_tools

SECONDS = 30.0


class Command(BaseCommand):
    help = (
        "Writes mcp_pins.json beside the agents that use tools of MCP servers; says what changed."
    )
    # What it writes is what the checks of such an agent miss.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail where anything differs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        declared = declared_tools()
        servers = {
            server: self._listed(server) for server in dict.fromkeys(d.server for d in declared)
        }
        changed = False
        for path in dict.fromkeys(each.pins for each in declared):
            try:
                before = read_pins(path)
            except ValueError:
                before = PinFile()
            after = PinFile()
            for each in (one for one in declared if one.pins == path):
                pin = self._pin(each, servers[each.server])
                after.servers.setdefault(each.server, {})[each.tool] = pin
                self._say(each, before.pin(each.server, each.tool), pin)
            if after != before:
                changed = True
                if not options["check"]:
                    after.write(path)
                    self.stdout.write(
                        f"Wrote {path}. Read what changed, and keep it with the code."
                    )
        self.stdout.write(f"{len(declared)} tools of {len(servers)} MCP servers are declared.")
        if changed and options["check"]:
            raise CommandError("What is pinned is not what the servers say.")

    def _listed(self, name: str) -> dict[str, Pin]:
        server = settings.COUNTERSIGN.mcp_servers.get(name)
        if server is None:
            raise CommandError(f"COUNTERSIGN_MCP_SERVERS names no server {name}.")
        try:
            return list_tools(server, settings.COUNTERSIGN.tool_secrets, seconds=SECONDS)
        except NotReached as error:
            raise CommandError(f"The MCP server {name} could not be asked. {error}") from error

    def _pin(self, each: Declared, listed: dict[str, Pin]) -> Pin:
        pin = listed.get(each.tool)
        if pin is None:
            raise CommandError(f"The MCP server {each.server} has no tool {each.tool}.")
        if problem := problem_of(pin):
            raise CommandError(f"{each.tool} of {each.server} cannot be used: {problem}.")
        return pin

    def _say(self, each: Declared, before: Pin | None, after: Pin) -> None:
        label = f"{each.server}: {each.tool}"
        if before is None:
            self.stdout.write(f"{label} is new.")
        elif changes := after.differences(before):
            self.stdout.write(f"{label}: changed {', '.join(changes)}.")
