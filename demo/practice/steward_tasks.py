"""What the practice model understands of a task for data-steward, and the SQL that it writes for it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

NAME: Final = r"(?P<name>[^?!]+?)"
_DUPLICATE = re.compile(
    rf"(?:^|[.!?]\s+|\bcustomer\s+){NAME}\s+is\s+(?:in there|there|entered|listed)\s+twice"
    r"|\bduplicate(?: entry)? of (?:the )?(?:customer )?(?P<other>[^?!]+?)(?=[.!?]*$|[.!?]\s|\s+(?:that|which|who)\b)",
    re.IGNORECASE,
)
_CITY_OF = re.compile(
    rf"\bcity of (?:the )?(?:customer )?{NAME}"
    r"(?=\s+(?:is|was|to|has|should|must|:)\b|[.!?,]*$|[.!?,]\s|\s*:)",
    re.IGNORECASE,
)
_RIGHT_CITY = re.compile(
    r"\b(?:should be|must be|is really|is in fact|right is|correct is|to)\s+[“\"']?(?P<city>[A-ZÀ-Ý][\w\- ]*?)"
    r"[”\"']?(?=[.!?,;]|$)"
)
_NOTED = re.compile(
    rf"\b(?:noted?|notes?)\b.*?\b(?:about|on|for|of)\s+(?:the\s+)?(?:customer\s+)?{NAME}[.?!]*$",
    re.IGNORECASE | re.DOTALL,
)
_HOW_MANY = re.compile(r"\bhow many (?P<what>orders|customers)\b(?P<rest>[^.?!]*)", re.IGNORECASE)
_IN_CITY = re.compile(r"\bin (?!there\b|the\b|total\b)(?P<city>[A-ZÀ-Ý][\w\-]*)")
_HEDGE = re.compile(r"\b(?:maybe|perhaps|i think|not sure|might|possibly)\b", re.IGNORECASE)
LATE_DAYS: Final = 5
LAST_MONTH: Final = (
    "{} >= date_trunc('month', CURRENT_DATE) - INTERVAL '1 month' "
    "AND {} < date_trunc('month', CURRENT_DATE)"
)


@dataclass(frozen=True)
class Count:
    """How many: as a question in words, and as a query."""

    words: str
    sql: str


@dataclass(frozen=True)
class MendCity:
    """A customer's city is wrong; `city` is empty where the task does not say what is right."""

    name: str
    city: str


@dataclass(frozen=True)
class DropTwin:
    """A customer is there twice."""

    name: str


@dataclass(frozen=True)
class ReadNote:
    """What is noted about a customer is asked for."""

    name: str


Task = Count | MendCity | DropTwin | ReadNote


def read_task(text: str) -> Task | None:
    """The task in a text; None where it is none that is known."""
    if match := _DUPLICATE.search(text):
        return DropTwin(_clean(match["name"] or match["other"]))
    if match := _CITY_OF.search(text):
        return MendCity(_clean(match["name"]), city_in(text[match.end() :]))
    if match := _HOW_MANY.search(text):
        return _count(match["what"].lower(), match["rest"])
    if match := _NOTED.search(text):
        return ReadNote(_clean(match["name"]))
    return None


def is_unsure(text: str) -> bool:
    """Whether the wording leaves doubts."""
    return bool(_HEDGE.search(text))


def city_in(text: str) -> str:
    """The city that is said to be right; empty where none is."""
    match = _RIGHT_CITY.search(text)
    return match["city"].strip() if match else ""


def find_customer(name: str) -> str:
    """A query for customers of a name, whatever its case and spaces, with the number of their orders."""
    return (
        "SELECT c.id, c.name, c.city, c.note, count(o.id) AS orders FROM demo_customer c "
        f"LEFT JOIN demo_order o ON o.customer_id = c.id WHERE c.name ILIKE {like(name)} "
        "GROUP BY c.id, c.name, c.city, c.note ORDER BY c.id"
    )


def count_orders(customer: int) -> str:
    """A query for the number of a customer's orders."""
    return f"SELECT count(*) AS orders FROM demo_order WHERE customer_id = {customer}"


def set_city(customer: int, city: str) -> str:
    """The statement that gives one customer a city."""
    return f"UPDATE demo_customer SET city = {quoted(city)} WHERE id = {customer}"


def delete_customer(customer: int) -> str:
    """The statement that deletes one customer."""
    return f"DELETE FROM demo_customer WHERE id = {customer}"


def quoted(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def like(name: str) -> str:
    """A pattern for a name: its words in their order, with anything or nothing between them."""
    words = (re.sub(r"([\\%_])", r"\\\1", word) for word in name.split())
    return quoted("%".join(words))


def _count(what: str, rest: str) -> Count:
    conditions, words = [], []
    said = rest.lower()
    for status in ("delivered", "shipped", "paid"):
        if status in said and what == "orders":
            conditions.append(f"status = '{status}'")
            words.append(status)
    if "late" in said.split() and what == "orders":
        conditions.append(f"delivered_on - placed_on > {LATE_DAYS}")
        words.append(f"more than {LATE_DAYS} days after they were placed")
    if "last month" in said and what == "orders":
        day = "placed_on" if "placed" in said else "delivered_on"
        conditions.append(LAST_MONTH.format(day, day))
        words.append("last month")
    if what == "customers" and (match := _IN_CITY.search(rest)):
        conditions.append(f"city = {quoted(match['city'])}")
        words.append(f"in {match['city']}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    table = "demo_order" if what == "orders" else "demo_customer"
    return Count(" ".join([what, *words]), f"SELECT count(*) AS number FROM {table}{where}")


def _clean(name: str) -> str:
    return re.sub(r"^(?:the\s+)?(?:customer\s+)?", "", name.strip(), flags=re.IGNORECASE).strip(
        " .,“”\"'"
    )
