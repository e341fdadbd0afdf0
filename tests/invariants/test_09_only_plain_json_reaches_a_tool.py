"""Line 9: NaN, huge integers and duplicate keys never reach a tool, by whichever way arguments come."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from accounts.models import User
from agents.authoring import Effect, Preview, Risk, Tool, ToolContext, tool
from agents.models import Run, Step
from approvals.models import ApprovalRequest
from approvals.vocabulary import Kind
from audit.canonical import loads_strict
from tests.agents.bank import Bank, teller, tools_of
from tests.agents.conftest import Counter, host
from tests.approvals.conftest import Opener
from tests.invariants.conftest import Enter
from tests.invariants.doors import ApiDoor, PageDoor, Seen, SessionDoor, TokenDoor
from tests.invariants.ruling import NOBODY_NEEDED, in_force
from tests.model_server import call, calls, final


class Entry(BaseModel):
    """One of each kind of value, as loosely typed as a tool may declare them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    words: str
    count: int
    share: float
    amount: Decimal
    more: dict[str, Any]
    anything: Any = None


GOOD: dict[str, Any] = {
    "words": "x",
    "count": 1,
    "share": 0.5,
    "amount": "1.00",
    "more": {"a": 1},
    "anything": None,
}
JUDGEMENT = {"confidence": 0.95, "rationale": "It fits."}
#: What no JSON reader may be given: as it stands in a body, by the field that it is in.
NOT_PLAIN: dict[str, tuple[str, str]] = {
    "NaN": ("share", "NaN"),
    "infinity": ("share", "Infinity"),
    "minus infinity": ("share", "-Infinity"),
    "too large a number": ("share", "1e400"),
    "NaN as text": ("share", '"NaN"'),
    "infinity as text": ("share", '"Infinity"'),
    "huge integer": ("count", "9007199254740993"),
    "huge integer as text": ("count", '"9007199254740993"'),
    "huge integer as a fraction": ("count", "1e30"),
    "endless integer": ("count", "9" * 5_000),
    "decimal that is none": ("amount", '"NaN"'),
    "endless decimal": ("amount", '"Infinity"'),
    "key twice": ("more", '{"a": 1, "a": 2}'),
    "key twice below": ("more", '{"b": {"a": 1, "\\u0061": 2}}'),
    "NaN below": ("more", '{"a": NaN}'),
    "huge integer below": ("more", '{"a": [9007199254740992]}'),
    "huge negative integer below": ("more", '{"a": [-9007199254740992]}'),
    "too deep": ("more", '{"a": ' * 40 + "1" + "}" * 40),
    "lone surrogate": ("words", '"\\ud800"'),
    "NUL": ("words", '"a\\u0000b"'),
    "NUL below": ("more", '{"a": "\\u0000"}'),
    "NaN in anything": ("anything", "NaN"),
    "key twice in anything": ("anything", '[{"a": 1, "a": 1}]'),
}


def text_with(field: str, raw: str, **more: Any) -> str:
    """The good arguments as JSON text, with one field as it is given."""
    fields = {name: json.dumps(value) for name, value in {**GOOD, **more}.items()} | {field: raw}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"


@pytest.fixture
def entries(bank: Bank) -> list[Entry]:
    """What reached the tool `enter`, which the teller has besides."""
    reached: list[Entry] = []

    @tool(name="enter", risk=Risk.HIGH, effects={Effect.MONEY}, reversible=True)
    def enter(ctx: ToolContext, entry: Entry) -> str:
        """Enter it into the books."""
        reached.append(entry)
        return "entered"

    @enter.preview
    def show(ctx: ToolContext, entry: Entry) -> Preview:
        return Preview(title=f"Enter {entry.words}", subject=entry.words)

    tools: list[Tool] = [*tools_of(bank), enter]
    host(teller(bank, tools=tools))
    return reached


def waiting(counter: Counter) -> tuple[Run, ApprovalRequest]:
    """A run that waits for a person to approve a good entry."""
    made = calls(call("enter", GOOD | JUDGEMENT))
    run = counter.start([made, *[final(summary="ok")] * 4])
    return run, counter.request(run)


def plain(value: Any) -> None:
    """Fail unless it is plain JSON through and through."""
    text = json.dumps(value, allow_nan=False)
    text.encode()
    assert "\\u0000" not in text
    assert loads_strict(text) == value


def all_is_plain() -> None:
    for arguments in Step.objects.filter(kind="tool").values_list("arguments", flat=True):
        plain(arguments)
    for arguments in ApprovalRequest.objects.values_list("arguments", flat=True):
        plain(arguments)


@pytest.mark.parametrize("bad", NOT_PLAIN)
def test_a_model_that_writes_what_is_not_plain_is_told_and_mends_it(
    counter: Counter, entries: list[Entry], bad: str
) -> None:
    in_force(NOBODY_NEEDED)
    wrong = call("enter", text_with(*NOT_PLAIN[bad], **JUDGEMENT))
    right = call("enter", GOOD | JUDGEMENT)
    run = counter.start([calls(wrong), calls(right), final(summary="ok")])
    first, second = Step.objects.filter(run=run, kind="tool").order_by("seq")
    assert (first.state, first.problem[:10]) == ("failed", "arguments_")
    assert (second.state, [entry.words for entry in entries]) == ("succeeded", ["x"])
    assert "arguments" in counter.model.requests[1]["messages"][-1]["content"]
    all_is_plain()


@pytest.mark.parametrize("door", [SessionDoor, TokenDoor], ids=lambda door: door.kind)
@pytest.mark.parametrize("bad", NOT_PLAIN)
def test_an_edit_by_api_that_is_not_plain_changes_nothing(
    counter: Counter, entries: list[Entry], reviewer: User, door: type[ApiDoor], bad: str
) -> None:
    run, request = waiting(counter)
    seen = Seen.of(request)
    head = json.dumps({"verdict": "edit", **seen.fields()})[:-1]
    body = f'{head}, "arguments": {text_with(*NOT_PLAIN[bad])}}}'
    answer = door(reviewer).send(request.pk, "decisions", body.encode("utf-8"))
    assert 400 <= answer.status < 500, answer
    assert answer.code
    unchanged(counter, run, request, entries)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("share", value)
            for value in ("NaN", "nan", "Infinity", "-inf", "1e400", "0x1p3", "1_0")
        ),
        *(
            ("count", value)
            for value in ("9007199254740993", "9" * 5_000, "1e30", "1_0", "٣", "NaN")
        ),
        *(("amount", value) for value in ("NaN", "Infinity", "-Infinity", "sNaN")),
        *((field, raw) for field, raw in NOT_PLAIN.values() if field in ("more", "anything")),
        ("words", "a\x00b"),
    ],
)
def test_an_edit_by_page_that_is_not_plain_changes_nothing_and_says_where(
    counter: Counter, entries: list[Entry], reviewer: User, name: str, value: str
) -> None:
    run, request = waiting(counter)
    door = PageDoor(reviewer)
    fields = {**GOOD, "amount": "1.00"} | {name: value}
    answer = door.decide(request.pk, door.read(request), "edit", arguments=fields)
    assert answer.status == 422, answer.text
    assert f"id_arguments.{name}_error" in answer.document["html"]
    unchanged(counter, run, request, entries)


def unchanged(counter: Counter, run: Run, request: ApprovalRequest, entries: list[Entry]) -> None:
    request.refresh_from_db()
    assert (request.state, request.revision, request.arguments) == ("pending", 1, GOOD)
    assert counter.go_on(run).state == "waiting"
    assert entries == []
    all_is_plain()


@pytest.mark.parametrize(
    "name",
    ["verdict", "revision", "digest", "shown_sha256", "nonce", "arguments", "reason"],
)
@pytest.mark.parametrize("door", [SessionDoor, TokenDoor], ids=lambda door: door.kind)
def test_a_decision_in_which_a_key_stands_twice_is_refused_whole(
    opened: Opener, reviewer: User, door: type[ApiDoor], name: str
) -> None:
    request = opened()
    body = {"verdict": "reject", **Seen.of(request).fields(), "reason": "no", "arguments": None}
    text = json.dumps(body)[:-1] + f', "{name}": {json.dumps(body[name])}}}'
    answer = door(reviewer).send(request.pk, "decisions", text.encode())
    assert (answer.status, answer.code) == (400, "malformed_json")
    request.refresh_from_db()
    assert request.state == "pending"


def question(answer_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"question": "How many?", "answer_type": answer_type, "choices": [], "schema": schema}


@pytest.mark.parametrize(
    "value", ["NaN", "sNaN", "Infinity", "1e400", "1e999999999", "9007199254740993", "9" * 400]
)
def test_a_number_that_is_none_answers_no_question(
    opened: Opener, enter: Enter, reviewer: User, value: str
) -> None:
    request = opened(kind=Kind.QUESTION, question=question("number", {"type": "number"}))
    door = enter(reviewer)
    seen = door.read(request)
    if isinstance(door, ApiDoor):
        head = json.dumps({"verdict": "answer", **seen.fields()})[:-1]
        answer = door.send(request.pk, "decisions", f'{head}, "answer": {value}}}'.encode())
    else:
        answer = door.decide(request.pk, seen, "answer", answer=value)
    assert answer.status in (400, 422), answer
    request.refresh_from_db()
    assert request.state == "pending"


@pytest.mark.parametrize(
    "value", ["9007199254740993", "9" * 400, "9" * 5_000, "NaN", "1e3", "²", "-1"]
)
def test_a_limit_is_raised_by_a_plain_number_only(
    opened: Opener, enter: Enter, reviewer: User, value: str
) -> None:
    asked = {"question": "Raise it?", "caps": {"tool_calls": 5}}
    request = opened(kind=Kind.BUDGET, question=asked)
    door = enter(reviewer)
    seen = door.read(request)
    if isinstance(door, ApiDoor):
        head = json.dumps({"verdict": "extend", **seen.fields()})[:-1]
        body = f'{head}, "caps": {{"tool_calls": {value}}}}}'
        answer = door.send(request.pk, "decisions", body.encode())
    else:
        answer = door.decide(request.pk, seen, "extend", tool_calls=value)
    if value == "1e3":
        # A whole number, written so.
        assert answer.status in (200, 303)
        return
    assert answer.status in (400, 422), answer
    request.refresh_from_db()
    assert request.state == "pending"


@pytest.mark.parametrize(
    "value", ["9007199254740993", "9" * 5_000, "NaN", "1e400", "²", "٣", "-1", ""]
)
def test_a_deadline_moves_by_a_plain_number_only(
    opened: Opener, enter: Enter, reviewer: User, value: str
) -> None:
    request = opened()
    door = enter(reviewer)
    if isinstance(door, ApiDoor):
        answer = door.send(request.pk, "extend", f'{{"hours": {value}}}'.encode())
    else:
        answer = door.do(request.pk, "extend", hours=value)
    assert answer.status in (400, 409, 422), answer
    before = request.review_deadline
    request.refresh_from_db()
    assert request.review_deadline == before


def test_what_a_tool_gets_is_finite(counter: Counter, entries: list[Entry], reviewer: User) -> None:
    run, request = waiting(counter)
    assert PageDoor(reviewer).through(request).taken
    counter.go_on(run)
    (entry,) = entries
    assert math.isfinite(entry.share)
    assert entry.amount.is_finite()
