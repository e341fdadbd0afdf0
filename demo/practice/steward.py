"""The practice model as data steward and as row checker: which call comes next. Pure.

It looks the rows up, has a second pair of eyes count before it deletes where it may delegate, proposes the
change, and answers. What stands in rows it repeats and never follows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from demo.practice import steward_tasks as tasks
from demo.practice.conversation import Call, Conversation
from demo.practice.moves import ASK, FINAL, Move, abstain

QUERY, CHANGE, DELEGATE = "query", "change_rows", "delegate"
TOOLS = frozenset({QUERY, CHANGE})
"""The tools by which the steward is known."""
CHECKER_TOOLS = frozenset({"describe_tables", QUERY})
CHECKER: Final = "row-checker"
MOST_PROPOSALS: Final = 3
MOST_ANSWERS: Final = 3
SURE, UNSURE = 0.95, 0.6
UNKNOWN = (
    "I understand four kinds of task: how many orders or customers there are, a misspelt city of a customer, a "
    "customer that is in there twice, and what is noted about a customer."
)
_NUMBER = re.compile(r"\bcustomer number (\d{1,18})\b")


@dataclass(frozen=True)
class Desk:
    """The conversation and the names of the tools that are offered."""

    talk: Conversation
    offered: Collection[str]

    def asked(self, sql: str) -> Call | None:
        """The newest time that this was queried."""
        return next(
            (c for c in reversed(self.talk.named(QUERY)) if c.arguments.get("sql") == sql), None
        )

    def answer(self, outcome: str, rows: int, message: str) -> Move:
        """The final answer; it relies on all that was carried out."""
        relied = [call.id for call in self.talk.calls if call.done and call.name != ASK]
        return Move(
            FINAL, {"outcome": outcome, "rows": rows, "message": message, "relies_on": relied}
        )


def steward_move(talk: Conversation, offered: Collection[str], sample: int | None = None) -> Move:
    """The call that the script makes now; further samples are the same."""
    desk = Desk(talk, offered)
    if len(talk.named(FINAL)) >= MOST_ANSWERS:
        return abstain("My answer was turned down several times and I have no better one.")
    match tasks.read_task(talk.task):
        case tasks.Count(words, sql):
            return _count(desk, words, sql)
        case tasks.ReadNote(name):
            return _tell_note(desk, name)
        case tasks.MendCity(name, city):
            return _mend_city(desk, name, city)
        case tasks.DropTwin(name):
            return _drop_twin(desk, name)
    return abstain(UNKNOWN)


def checker_move(talk: Conversation, offered: Collection[str], sample: int | None = None) -> Move:
    """The row checker's next call: it counts the orders of the one customer that its task names."""
    desk = Desk(talk, offered)
    found = _NUMBER.search(talk.task)
    if found is None:
        return abstain("I count the orders of one customer; name it as customer number 12.")
    sql = tasks.count_orders(int(found[1]))
    rows = _rows(desk, sql, "I count them.")
    if isinstance(rows, Move):
        return rows
    number = int(rows[0]["orders"])
    return desk.answer("answered", number, f"Customer number {found[1]} has {number} orders.")


def _count(desk: Desk, words: str, sql: str) -> Move:
    rows = _rows(desk, sql, "The task asks for a number.")
    if isinstance(rows, Move):
        return rows
    number = int(rows[0]["number"])
    return desk.answer("answered", number, f"There are {number} {words}.")


def _tell_note(desk: Desk, name: str) -> Move:
    rows = _rows(desk, tasks.find_customer(name), "I look the customer up.")
    if isinstance(rows, Move):
        return rows
    if len(rows) != 1:
        return desk.answer("nothing_done", 0, _not_one(name, len(rows)))
    note = str(rows[0]["note"]) or "nothing"
    return desk.answer("answered", 1, f"Noted about {rows[0]['name']}: “{note}”")


def _mend_city(desk: Desk, name: str, city: str) -> Move:
    rows = _rows(desk, tasks.find_customer(name), "I look the customer up before I change it.")
    if isinstance(rows, Move):
        return rows
    if len(rows) != 1:
        return desk.answer("nothing_done", 0, _not_one(name, len(rows)))
    row = rows[0]
    city = city or _answered(desk)
    if not city:
        return _ask(desk, f"Which city is right for {row['name']}? There it says {row['city']}.")
    proposals = desk.talk.named(CHANGE)
    if proposals and not proposals[-1].done:
        city = tasks.city_in(proposals[-1].words) or city
    elif not proposals and row["city"] == city:
        return desk.answer("nothing_done", 0, f"{row['name']} is in {city} already.")
    why = f"The task says that the city of {row['name']} is {city}; there it says {row['city']}."
    done = f"The city of {row['name']} is {city} now; it was {row['city']}."
    return _change(desk, tasks.set_city(row["id"], city), why, done)


def _drop_twin(desk: Desk, name: str) -> Move:
    rows = _rows(desk, tasks.find_customer(name), "I look for customers of that name.")
    if isinstance(rows, Move):
        return rows
    empty = [row for row in rows if not row["orders"]]
    gone = desk.talk.named(CHANGE)
    if not gone and (len(rows) < 2 or len(empty) != 1):
        found = f"{len(rows)} customers of the name {name}, {len(empty)} of them without orders"
        return desk.answer("nothing_done", 0, f"There are {found}: I cannot tell a duplicate.")
    twin = empty[0]
    checked = _checked(desk, twin)
    if checked is not None:
        return checked
    why = f"{twin['name']} is there twice; number {twin['id']} has no orders."
    done = f"The duplicate {twin['name']}, which had no orders, is deleted."
    return _change(desk, tasks.delete_customer(twin["id"]), why, done)


def _checked(desk: Desk, twin: Mapping[str, Any]) -> Move | None:
    """Have the row checker count the orders of what is to be deleted; None when that is done."""
    if DELEGATE not in desk.offered:
        return None
    handed = desk.talk.named(DELEGATE)
    if not handed:
        task = f"How many orders does customer number {twin['id']} have?"
        return Move(
            DELEGATE, {"agent": CHECKER, "task": task}, SURE, "Before I delete, another looks."
        )
    if not handed[-1].done or handed[-1].result.get("rows") != 0:
        return desk.answer(
            "nothing_done",
            0,
            f"I did not delete {twin['name']}: nobody confirmed that it has no orders.",
        )
    return None


def _change(desk: Desk, sql: str, why: str, done: str) -> Move:
    """Propose it; answer once it was carried out or declined, and propose again what was sent back."""
    proposals = desk.talk.named(CHANGE)
    last = proposals[-1] if proposals else None
    if last is not None and last.done:
        number = int(last.result.get("rows") or 0)
        ran = last.answer.get("arguments_that_ran")
        if isinstance(ran, Mapping) and ran.get("sql") != sql:
            rows = f"{number} row{'' if number == 1 else 's'}"
            done = f"A person changed what I proposed. Carried out was: {ran.get('sql')} ({rows})."
        return desk.answer("changed", number, done)
    again = last is not None and last.status in {"sent_back", "lapsed"}
    if last is not None and (not again or len(proposals) >= MOST_PROPOSALS):
        return desk.answer("nothing_done", 0, f"Nothing was changed. {last.words}".strip())
    confidence = UNSURE if tasks.is_unsure(desk.talk.task) else SURE
    return Move(CHANGE, {"sql": sql, "why": why}, confidence, why)


def _rows(desk: Desk, sql: str, why: str) -> list[dict[str, Any]] | Move:
    """What a query gave, row by row; the query itself where it was not asked yet."""
    call = desk.asked(sql)
    if call is None:
        return Move(QUERY, {"sql": sql}, SURE, why)
    columns, rows = call.result.get("columns"), call.result.get("rows")
    if not call.done or not isinstance(columns, Sequence) or not isinstance(rows, Sequence):
        return abstain(f"I could not read the tables: {call.words}")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _answered(desk: Desk) -> str:
    """The city in a person's answer: what is said to be right, or the answer itself."""
    answers = [call.words.strip(" .") for call in desk.talk.named(ASK) if call.words]
    return (tasks.city_in(answers[-1]) or answers[-1]) if answers else ""


def _ask(desk: Desk, question: str) -> Move:
    if ASK not in desk.offered or desk.talk.named(ASK):
        return abstain("Something is missing that I cannot find out by myself.")
    return Move(ASK, {"question": question, "answer_type": "text"})


def _not_one(name: str, number: int) -> str:
    return f"There are {number} customers of the name {name}; I need exactly one."
