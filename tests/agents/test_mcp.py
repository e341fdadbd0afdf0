"""Tools of MCP servers, asked of real servers in processes of their own: over HTTP on loopback, and over stdio."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from agents import mcp_tools, registry
from agents.authoring import Category, DefinitionError, Effect, EffectClass, Risk, Tool
from agents.mcp_servers import McpServer, named_servers
from agents.mcp_tools import mcp_tool
from agents.models import EffectRecord, Run, Step
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.saying import told
from tests.model_server import ModelServer, call, calls, final, judged

SCRIPT = Path(__file__).with_name("mcp_server.py")
KEY = "warehouse-key-4711"
READ = call("read_stock", judged({"item": "bolts"}))
NOTES = call("read_notes", judged({"item": "bolts"}))
MOVE = call("move_stock", judged({"item": "bolts", "count": 3}, 1.0))


def odd(item: str) -> Any:
    return call("misbehave", judged({"item": item}, 1.0))


@dataclass
class Serving:
    """Processes that serve over HTTP, by their ways; the tests share them, until one ends."""

    book: Path
    running: dict[tuple[str, ...], tuple[subprocess.Popen[bytes], int]] = field(
        default_factory=dict
    )

    def port(self, ways: tuple[str, ...]) -> int:
        process, port = self.running.get(ways, (None, 0))
        if process is None or process.poll() is not None:
            port = free_port()
            process = subprocess.Popen(
                [sys.executable, str(SCRIPT), "http", str(port), *ways],
                env={**os.environ, "WAREHOUSE_BOOK": str(self.book), "WAREHOUSE_KEY": KEY},
            )
            self.running[ways] = process, port
            answers(port)
        return port

    def close(self) -> None:
        for process, _ in self.running.values():
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < until, "the server does not come up"
            time.sleep(0.05)


@dataclass
class Warehouse:
    """The server, what it was told to do, and the pins of what it said at first."""

    folder: Path
    settings: Settings
    serving: Serving

    @property
    def book(self) -> Path:
        return self.serving.book

    @property
    def pins(self) -> Path:
        return self.folder / "mcp_pins.json"

    @property
    def done(self) -> list[Any]:
        return [json.loads(line) for line in self.book.read_text().splitlines()]

    def names(self, name: str) -> list[Any]:
        return [each for each in self.done if each[0] == name]

    def open(self, *ways: str) -> None:
        """Serve over HTTP, and be what the settings name."""
        self.at(self.serving.port(ways))

    def at(self, port: int) -> None:
        self.name(
            McpServer(
                url=f"http://127.0.0.1:{port}/mcp",
                headers={"Authorization": "Bearer {warehouse_key}"},
            )
        )

    def name(self, server: McpServer) -> None:
        self.settings.COUNTERSIGN = self.settings.COUNTERSIGN.model_copy(
            update={"mcp_servers": {"warehouse": server}, "tool_secrets": {"warehouse_key": KEY}}
        )

    def pin(self, *names: str) -> str:
        """What `sync_mcp` says when it pins these tools; each is declared first, as an app does."""
        for name in names:
            mcp_tool("warehouse", name, pins=self.pins)
        said = StringIO()
        call_command("sync_mcp", stdout=said)
        return said.getvalue()

    def tools(self, seconds: float = 10) -> list[Tool]:
        """All of its tools as an author declares them."""
        return [
            mcp_tool("warehouse", "read_stock", risk=Risk.LOW, pins=self.pins),
            mcp_tool("warehouse", "read_notes", risk=Risk.LOW, pins=self.pins),
            mcp_tool(
                "warehouse",
                "move_stock",
                risk=Risk.HIGH,
                effects={Effect.PRODUCTION},
                reversible=True,
                identity={"item"},
                pins=self.pins,
            ),
            mcp_tool(
                "warehouse",
                "misbehave",
                effects={Effect.PRODUCTION},
                reversible=True,
                timeout_seconds=seconds,
                pins=self.pins,
            ),
        ]


ALL = ("read_stock", "read_notes", "move_stock", "misbehave", "shred")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    made = Serving(tmp_path_factory.mktemp("warehouse") / "book.jsonl")
    yield made
    made.close()


@pytest.fixture
def warehouse(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, serving: Serving
) -> Warehouse:
    """It was told nothing yet, and nothing is declared."""
    monkeypatch.setattr(mcp_tools, "_declared", {})
    serving.book.write_text("")
    return Warehouse(tmp_path, settings, serving)


@pytest.fixture
def pinned(warehouse: Warehouse, counter: Counter) -> Warehouse:
    """The server runs, is pinned, and the teller uses its tools. After `counter`, whose settings it extends."""
    warehouse.open()
    warehouse.pin(*ALL)
    hosted(warehouse)
    return warehouse


def hosted(warehouse: Warehouse, **changes: Any) -> None:
    fields = {"category": Category.OPEN, "tools": warehouse.tools(), **changes}
    host(teller(Bank(), **fields))


def approved(counter: Counter, run: Run, reviewer: User) -> Run:
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    return counter.go_on(run)


def test_a_read_of_a_server_runs_by_itself_and_its_result_is_untrusted(
    counter: Counter, pinned: Warehouse, model: ModelServer
) -> None:
    run = counter.start([calls(READ), final(summary="7")])
    assert (run.state, run.tainted_by) == ("succeeded", ["read_stock"])
    step = Step.objects.get(run=run, name="read_stock")
    assert step.output is not None
    assert step.output["result"] == {"level": 7}
    assert [each[:2] for each in pinned.done] == [["read_stock", {"item": "bolts"}]]
    assert '"trust": "untrusted"' in told(model)[-1]["content"]
    (offer,) = (
        each["function"]
        for each in model.requests[0]["tools"]
        if each["function"]["name"] == "move_stock"
    )
    assert "nobody here vouches for" in offer["description"]
    assert offer["parameters"]["additionalProperties"] is False
    assert {"item", "count", "confidence", "rationale"} == set(offer["parameters"]["required"])


def test_a_write_waits_for_a_person_and_is_sent_once_as_they_read_it(
    counter: Counter, pinned: Warehouse, reviewer: User
) -> None:
    run = counter.start([calls(MOVE), final(summary="ok")])
    request = counter.request(run)
    assert pinned.done == []
    assert request.preview["title"] == "Ask the MCP server warehouse to move_stock"
    facts = [(each["label"], each["value"]) for each in request.preview["facts"]]
    assert facts == [("MCP server", "warehouse"), ("item", "bolts"), ("count", "3")]
    run = approved(counter, run, reviewer)
    assert run.state == "succeeded"
    effect = EffectRecord.objects.get(step__run=run)
    assert (effect.state, effect.result) == ("succeeded", "Moved bolts.")
    assert pinned.done == [["move_stock", {"item": "bolts", "count": 3}, effect.idempotency_key]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"item": "bolts", "count": 3, "force": True}, "'force' was unexpected"),
        ({"item": "bolts"}, "'count' is a required property"),
        ({"item": "bolts", "count": 0}, "count: 0 is less than the minimum of 1"),
    ],
)
def test_arguments_that_do_not_fit_the_pinned_schema_never_reach_the_server(
    counter: Counter, pinned: Warehouse, model: ModelServer, given: dict[str, Any], said: str
) -> None:
    run = counter.start([calls(call("move_stock", judged(given))), final(summary="no")])
    assert run.state == "succeeded"
    assert said in told(model)[-1]["content"]
    assert pinned.done == []


def test_what_a_server_says_otherwise_later_is_not_called_even_when_approved(
    counter: Counter, pinned: Warehouse, reviewer: User, model: ModelServer
) -> None:
    run = counter.start([calls(MOVE), final(summary="no")])
    pinned.open("otherwise")
    run = approved(counter, run, reviewer)
    step = Step.objects.get(run=run, name="move_stock")
    assert step.state == "failed"
    assert "otherwise than when it was looked at (arguments)" in told(model)[-1]["content"]
    assert pinned.done == []
    with pytest.raises(CommandError, match="not what the servers say"):
        call_command("sync_mcp", "--check", stdout=StringIO())
    before = teller(Bank(), category=Category.OPEN, tools=pinned.tools())
    assert "move_stock: changed arguments." in pinned.pin()
    after = teller(Bank(), category=Category.OPEN, tools=pinned.tools())
    assert before.version != after.version


def test_a_run_that_began_on_other_pins_asks_a_person_how_it_goes_on(
    counter: Counter, pinned: Warehouse, reviewer: User
) -> None:
    run = counter.start([calls(MOVE), final(summary="no")])
    pinned.open("otherwise")
    pinned.pin()
    hosted(pinned)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.state == "waiting"
    assert counter.request(run).kind == "attention"
    assert pinned.done == []


def test_injected_instructions_taint_the_run_and_the_next_write_waits(
    counter: Counter, pinned: Warehouse
) -> None:
    run = counter.start([calls(NOTES), calls(MOVE), final(summary="ok")])
    assert (run.state, run.tainted_by) == ("waiting", ["read_notes"])
    assert any(each["code"] == "tainted" for each in counter.request(run).reasons)
    assert pinned.names("move_stock") == []


@pytest.mark.parametrize("item", ["huge", "wrong", "slow", "vanish"])
def test_an_answer_that_is_no_use_leaves_an_effect_in_doubt_and_is_not_repeated(
    counter: Counter, pinned: Warehouse, reviewer: User, item: str
) -> None:
    run = approved(counter, counter.start([calls(odd(item))]), reviewer)
    assert run.state == "waiting"
    assert counter.request(run).kind == "in_doubt"
    assert EffectRecord.objects.get(step__run=run).state == "in_doubt"
    assert len(pinned.names("misbehave")) == 1


def test_an_error_of_the_server_is_read_by_the_model_and_taints(
    counter: Counter, pinned: Warehouse, reviewer: User, model: ModelServer
) -> None:
    run = counter.start([calls(odd("refused")), final(summary="no")])
    run = approved(counter, run, reviewer)
    assert (run.state, run.tainted_by) == ("succeeded", ["misbehave"])
    assert "The shelf is locked." in told(model)[-1]["content"]


def test_a_server_that_cannot_be_reached_was_sent_nothing(
    counter: Counter, pinned: Warehouse, reviewer: User, model: ModelServer
) -> None:
    run = counter.start([calls(MOVE), final(summary="no")])
    pinned.at(free_port())
    run = approved(counter, run, reviewer)
    assert EffectRecord.objects.get(step__run=run).state == "failed"
    assert "could not be asked. Nothing was sent" in told(model)[-1]["content"]


def test_the_secret_of_a_server_is_found_nowhere(
    counter: Counter,
    pinned: Warehouse,
    model: ModelServer,
    client: Client,
    admin: User,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The server itself says it in a result."""
    run = counter.start([calls(NOTES), calls(MOVE)])
    said = Step.objects.get(run=run, name="read_notes").output
    assert "[secret: warehouse_key]" in json.dumps(said)
    client.force_login(admin)
    rows = [
        *Step.objects.values_list("request", "response", "output", "arguments", "attempts"),
        *ApprovalRequest.objects.values(),
        *Event.objects.values(),
        run.agent_version.definition,
        model.requests,
        client.get(f"/runs/{run.pk}/").content,
        pinned.pins.read_text(),
        caplog.text,
        capfd.readouterr(),
        repr(pinned.settings.COUNTERSIGN),
    ]
    assert KEY not in "\n".join(map(repr, rows))


def test_a_server_that_is_a_process_is_given_its_key_and_ends_with_the_call(
    counter: Counter, warehouse: Warehouse, reviewer: User
) -> None:
    warehouse.name(
        McpServer(
            command="/usr/bin/env",
            args=(f"WAREHOUSE_BOOK={warehouse.book}", sys.executable, str(SCRIPT), "stdio"),
            env={"WAREHOUSE_KEY": "{warehouse_key}"},
        )
    )
    warehouse.pin(*ALL)
    hosted(warehouse, tools=warehouse.tools(seconds=60))
    run = counter.start([calls(NOTES), calls(MOVE), final(summary="ok")])
    said = Step.objects.get(run=run, name="read_notes").output
    assert "[secret: warehouse_key]" in json.dumps(said)
    assert approved(counter, run, reviewer).state == "succeeded"
    assert len(warehouse.names("move_stock")) == 1
    # Both answers are no use; the one comes from a process that does not end by itself.
    for item in ("huge", "stubborn"):
        run = approved(counter, counter.start([calls(odd(item))]), reviewer)
        assert counter.request(run).kind == "in_doubt"
    lines = [each.info["cmdline"] or () for each in psutil.process_iter(["cmdline"])]
    assert not any(str(SCRIPT) in line and "stdio" in line for line in lines)


class Other(BaseHTTPRequestHandler):
    """Sends every call on to another server, or packs its answer."""

    heard: list[str | None]
    location = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(self.headers["Authorization"])
        self.send_response(307 if self.location else 200)
        self.send_header(
            "Location" if self.location else "Content-Encoding", self.location or "gzip"
        )
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """It says nothing."""


@contextmanager
def other(location: str = "") -> Iterator[tuple[int, list[str | None]]]:
    heard: list[str | None] = []
    handler = type("Handler", (Other,), {"heard": heard, "location": location})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_port, heard
        finally:
            server.shutdown()


def test_a_key_goes_to_no_other_server_and_nothing_packed_is_unpacked(warehouse: Warehouse) -> None:
    mcp_tool("warehouse", "shred", pins=warehouse.pins)
    with other() as (port, heard), other(f"http://127.0.0.1:{port}/mcp") as (first, asked):
        for there, why in ((first, "MCPError"), (port, "it packed what it sent")):
            warehouse.at(there)
            with pytest.raises(CommandError, match=f"Nothing was sent: {why}"):
                call_command("sync_mcp", stdout=StringIO())
            if there == first:
                assert (set(asked), heard) == ({f"Bearer {KEY}"}, [])
    assert not warehouse.pins.exists()


PAGE = Path(__file__).parents[2] / "docs" / "mcp.md"


def test_the_agent_on_the_page_works_once_it_is_pinned(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    module = tmp_path / "agents.py"
    module.write_text(code)
    compiled = compile(code, str(module), "exec")
    with pytest.raises(DefinitionError, match="holds no description of it") as refused:
        exec(compiled, {})
    assert f"{module}:" in refused.value.mistakes[0].where
    warehouse.open()
    said = warehouse.pin()
    assert "move_stock is new." in said
    made: dict[str, Any] = {}
    exec(compiled, made)
    assert [tool.name for tool in made["agent"].tools] == ["read_stock", "move_stock"]
    setting = re.findall(r"COUNTERSIGN_MCP_SERVERS='(.*?)'\n", PAGE.read_text(), re.DOTALL)[0]
    assert named_servers(setting)["files"].secrets == {"files_key"}


def write_pins(path: Path, **hints: bool) -> Path:
    pin = {"description": "d", "input_schema": {"type": "object"}, "hints": hints}
    path.write_text(json.dumps({"servers": {"warehouse": {"shred": pin}}}))
    return path


@pytest.mark.parametrize(
    ("declared", "hints", "risk", "effects", "reversible", "effect_class"),
    [
        ({}, {}, "high", set(), False, "opaque"),
        ({}, {"readOnlyHint": True, "idempotentHint": True}, "high", set(), False, "opaque"),
        ({"risk": Risk.LOW}, {}, "low", set(), True, "idempotent"),
        ({"risk": Risk.LOW}, {"readOnlyHint": False}, "medium", set(), False, "opaque"),
        (
            {"risk": Risk.LOW, "reversible": True},
            {"destructiveHint": True},
            "high",
            {"destructive"},
            False,
            "opaque",
        ),
        (
            {"risk": Risk.LOW, "effects": {Effect.MONEY}, "reversible": True},
            {"readOnlyHint": True},
            "medium",
            {"money"},
            True,
            "opaque",
        ),
        (
            {"risk": Risk.MEDIUM, "effect_class": EffectClass.IDEMPOTENT},
            {"idempotentHint": False},
            "medium",
            set(),
            False,
            "opaque",
        ),
    ],
)
def test_hints_raise_what_was_declared_and_lower_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    declared: dict[str, Any],
    hints: dict[str, bool],
    risk: str,
    effects: set[str],
    reversible: bool,
    effect_class: str,
) -> None:
    monkeypatch.setattr(mcp_tools, "_declared", {})
    path = write_pins(tmp_path / "pins.json", **hints)
    made = mcp_tool("warehouse", "shred", pins=path, **declared)
    assert (made.risk, made.effects, made.reversible) == (risk, effects, reversible)
    assert made.effect_class == effect_class


def test_an_approval_binds_what_the_server_said_of_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hints alone make another version of the tool, and of whoever uses it."""
    monkeypatch.setattr(mcp_tools, "_declared", {})
    first = mcp_tool("warehouse", "shred", pins=write_pins(tmp_path / "a.json"))
    then = mcp_tool("warehouse", "shred", pins=write_pins(tmp_path / "b.json", openWorldHint=True))
    assert first.version != then.version
    assert first.describe()["mcp"]["pinned"] != then.describe()["mcp"]["pinned"]


def test_only_an_open_agent_may_use_them_and_only_as_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_tools, "_declared", {})
    shred = mcp_tool("warehouse", "shred", pins=write_pins(tmp_path / "pins.json"))
    with pytest.raises(DefinitionError, match=r"Make it Category\.OPEN"):
        teller(Bank(), tools=[shred])
    loose = mcp_tool("warehouse", "shred", pins=tmp_path / "none.json")
    with pytest.raises(DefinitionError, match=r"Run manage\.py sync_mcp"):
        teller(Bank(), tools=[loose], category=Category.OPEN)
    with pytest.raises(DefinitionError, match="Declare it opaque"):
        mcp_tool("warehouse", "shred", effect_class=EffectClass.QUERYABLE)


def test_a_server_that_no_setting_names_and_a_secret_that_is_not_set_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(mcp_tools, "_declared", {})
    shred = mcp_tool("warehouse", "shred", pins=write_pins(tmp_path / "pins.json"))
    registry.register(teller(Bank(), tools=[shred], category=Category.OPEN))
    try:
        assert [each.id for each in run_checks(tags=["agents"])] == ["agents.E108"]
        there = {"warehouse": McpServer(url="http://h/mcp", headers={"X-Key": "{no_such_key}"})}
        settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"mcp_servers": there})
        (found,) = run_checks(tags=["agents"])
        assert found.id == "agents.E023"
        assert "COUNTERSIGN_SECRET_NO_SUCH_KEY" in str(found.hint)
    finally:
        registry.unregister("teller")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "is a JSON object"),
        ('{"w": {}}', "a url or a command"),
        ('{"w": {"url": "http://h/mcp", "command": "x"}}', "a url or a command"),
        ('{"w": {"url": "http://me:hush@h/mcp"}}', "more than an address"),
        (
            '{"w": {"url": "http://h/mcp", "headers": {"A": "Bearer hush"}}}',
            "one secret in braces",
        ),
        ('{"w": {"command": "x", "headers": {"A": "{k}"}}}', "belong to a url"),
    ],
)
def test_settings_of_a_server_that_cannot_be_used_are_refused_without_a_value(
    text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        named_servers(text)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array"}, "no object"),
        ({"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}, "another document"),
        ({"type": "object", "properties": {"confidence": {}}}, "added to every tool"),
        ({"type": "object", "properties": 3}, "no JSON Schema"),
        ({"type": "object", "allOf": []}, "combined by allOf|no JSON Schema"),
        ({"type": "object", "description": "x" * 40_000}, "larger than"),
        ({"type": "object", "properties": {"a": {"pattern": "^(?=a)"}}}, "no look-around"),
        ({"type": "object", "patternProperties": {r"(a)\1": {}}}, "no back-references"),
    ],
)
def test_a_schema_that_cannot_be_held_to_makes_a_tool_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(mcp_tools, "_declared", {})
    path = tmp_path / "pins.json"
    pin = {"description": "d", "input_schema": schema}
    path.write_text(json.dumps({"servers": {"warehouse": {"shred": pin}}}))
    made: Callable[[], Any] = lambda: teller(  # noqa: E731
        Bank(), category=Category.OPEN, tools=[mcp_tool("warehouse", "shred", pins=path)]
    )
    with pytest.raises(DefinitionError, match=said):
        made()
