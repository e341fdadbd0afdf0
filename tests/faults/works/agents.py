"""An agent with one tool for each effect class. All but the transactional one call the recorder over HTTP."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

from django.db import connection
from pydantic import BaseModel, ConfigDict, Field

from agents.authoring import (
    Agent,
    Answer,
    AskModel,
    Budget,
    Call,
    Category,
    Done,
    Effect,
    EffectClass,
    FlowContext,
    Go,
    Move,
    Path,
    Preview,
    Risk,
    Route,
    Tool,
    ToolContext,
    Trust,
    Workflow,
    tool,
)
from audit.fault_points import reached

RECORDER = "WORKS_RECORDER_URL"
TIMEOUT_SECONDS = 5


class Job(BaseModel):
    """What is to be done."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    ticket: str
    amount: Decimal = Field(gt=0, max_digits=10, decimal_places=2)


class Receipt(BaseModel):
    """What the recorder answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reference: str


def _door() -> HTTPConnection:
    address = urlsplit(os.environ[RECORDER])
    assert address.hostname is not None
    return HTTPConnection(address.hostname, address.port, timeout=TIMEOUT_SECONDS)


def _send(name: str, ctx: ToolContext, job: Job) -> Receipt:
    door = _door()
    body = {"key": ctx.idempotency_key, "arguments": job.model_dump(mode="json")}
    try:
        door.request("POST", f"/{name}", json.dumps(body))
        reached("call.sent")
        return Receipt.model_validate_json(door.getresponse().read())
    finally:
        door.close()


def _shown(ctx: ToolContext, job: Job) -> Preview:
    return Preview(title=f"Do a job of €{job.amount}", subject=job.ticket)


def _outside(name: str, effect_class: EffectClass) -> Tool:
    @tool(
        name=name,
        risk=Risk.HIGH,
        effects={Effect.MONEY},
        reversible=True,
        effect_class=effect_class,
        trust=Trust.TRUSTED,
        timeout_seconds=10,
        identity={"ticket"},
    )
    def do(ctx: ToolContext, job: Job) -> Receipt:
        """Do a job outside."""
        return _send(name, ctx, job)

    do.preview(_shown)

    if effect_class is EffectClass.QUERYABLE:

        @do.lookup
        def find(ctx: ToolContext, job: Job) -> Receipt | None:
            return _asked(ctx)

    return do


def _asked(ctx: ToolContext) -> Receipt | None:
    """What the recorder knows of the call with this key."""
    door = _door()
    try:
        door.request("GET", f"/?key={quote(ctx.idempotency_key)}")
        found = json.loads(door.getresponse().read())
    finally:
        door.close()
    return Receipt.model_validate(found) if found else None


def _read_back(do: Tool) -> Tool:
    @do.verify
    def look(ctx: ToolContext, job: Job, receipt: Receipt) -> bool:
        reached("look.begun")
        found = _asked(ctx)
        reached("look.ended")
        return found == receipt

    return do


def _taken_back(do: Tool, effect_class: EffectClass) -> Tool:
    @do.undo(effect_class=effect_class)
    def take_back(ctx: ToolContext, job: Job, receipt: Receipt | None) -> Receipt:
        reached("undo.begun")
        return _send(f"undo_{do.name}", ctx, job)

    return do


pay = _outside("pay", EffectClass.IDEMPOTENT)
post = _outside("post", EffectClass.OPAQUE)
order = _outside("order", EffectClass.QUERYABLE)
seal = _read_back(_outside("seal", EffectClass.OPAQUE))
weigh = _read_back(_outside("weigh", EffectClass.QUERYABLE))
lend = _taken_back(_outside("lend", EffectClass.IDEMPOTENT), EffectClass.IDEMPOTENT)
lock = _taken_back(_outside("lock", EffectClass.IDEMPOTENT), EffectClass.OPAQUE)


@tool(
    risk=Risk.HIGH,
    effects={Effect.MONEY},
    reversible=True,
    effect_class=EffectClass.TRANSACTIONAL,
    trust=Trust.TRUSTED,
    identity={"ticket"},
)
def book(ctx: ToolContext, job: Job) -> Receipt:
    """Do a job in our own books."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO works_ledger (key, arguments) VALUES (%s, %s)",
            [ctx.idempotency_key, json.dumps(job.model_dump(mode="json"))],
        )
    reached("call.sent")
    return Receipt(reference=ctx.idempotency_key)


book.preview(_shown)

works = Agent(
    slug="works",
    title="Works",
    category=Category.BOUNDED,
    owner="finance",
    instructions="Do what the ticket says.",
    tools=(pay, post, order, book, seal, weigh, lend, lock),
    budget=Budget(),
)

foreman = Agent(
    slug="foreman",
    title="Foreman",
    category=Category.OPEN,
    owner="finance",
    instructions="Hand on what the ticket says.",
    tools=(),
    budget=Budget(),
    delegates=("works",),
    memory=True,
)

sorter = Agent(
    slug="sorter",
    title="Sorter",
    category=Category.BOUNDED,
    owner="finance",
    instructions="Do what the ticket says.",
    tools=(pay, post),
    route=Route(
        entry=("scripted",),
        classify=(
            Path(name="payments", when="Something is to be paid.", tools=("pay",)),
            Path(name="letters", when="Something is to be posted.", tools=("post",)),
        ),
    ),
)

relaying = Workflow(start="begin")


@relaying.state(to=["read"])
def begin(ctx: FlowContext) -> Move:
    """Nothing is known yet."""
    return Go("read")


@relaying.state(to=["act"], asks=Job)
def read(ctx: FlowContext) -> Move:
    """The model reads which job it is."""
    return AskModel("Which job is it?", json.loads(ctx.input.text), then="act")


@relaying.state(to=["finish"])
def act(ctx: FlowContext) -> Move:
    """The job is proposed."""
    return Call(pay, ctx["read"], then="finish")


@relaying.state
def finish(ctx: FlowContext) -> Move:
    """It is done."""
    return Done(Answer(summary=ctx["act"].reference))


relay = Agent(
    slug="relay",
    title="Relay",
    category=Category.WORKFLOW,
    owner="finance",
    instructions="Say which job it is.",
    tools=(pay,),
    flow=relaying,
)
