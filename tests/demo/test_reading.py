"""The practice model reads order, amount and wish from wordings it has never met."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.practice.clarity import Source, judge_clarity
from demo.practice.reading import (
    Wish,
    amount_in_reply,
    find_reason,
    is_refusal,
    read_ticket,
)

amounts = st.integers(1, 9_999_999).map(lambda cents: Decimal(cents) / 100)
numbers = st.integers(10_000, 99_999).map(str)
order_words = st.sampled_from(
    [
        "ORD-{}",
        "ord {}",
        "ORD{}",
        "order {}",
        "order no. {}",
        "order number: {}",
        "Order #{}",
        "#{}",
        "my purchase {}",
        "invoice {}",
    ]
)
amount_words = st.sampled_from(
    [
        "€{plain}",
        "€ {plain}",
        "{plain}€",
        "{plain} €",
        "{plain} EUR",
        "EUR {plain}",
        "EUR{plain}",
        "{plain} euros",
        "{plain} euro",
        "€{english}",
        "{english} EUR",
        "{german} €",
        "{german} euros",
        "€{swiss}",
        "{french} €",
    ]
)
sentences = st.sampled_from(
    [
        "Please refund {amount} for {order}, it arrived broken.",
        "Hello, about {order}: I want {amount} back because the box was empty.",
        "{order} never arrived! Give me back {amount}!",
        "Could you reimburse {amount}? {order}. The colour is wrong.",
        "Refund: {amount}\nOrder: {order}\nReason: damaged in transit",
        "We returned one item of {order}. Please credit {amount} to us.",
        "I was charged twice on {order} and would like to be paid back {amount}.",
    ]
)


def write_amount(pattern: str, amount: Decimal) -> str:
    english = f"{amount:,.2f}"
    return pattern.format(
        plain=f"{amount:.2f}",
        english=english,
        german=english.translate(str.maketrans(",.", ".,")),
        swiss=english.replace(",", "'"),
        french=english.replace(",", " ").replace(".", ","),
    )


@given(numbers, order_words, amounts, amount_words, sentences)
def test_order_and_amount_are_read_from_any_wording(
    number: str, order: str, amount: Decimal, pattern: str, sentence: str
) -> None:
    text = sentence.format(order=order.format(number), amount=write_amount(pattern, amount))
    ticket = read_ticket(text)
    assert ticket.orders == (f"ORD-{number}",), text
    assert ticket.amount == amount, text
    assert ticket.wish is Wish.REFUND, text
    assert ticket.reason_named or "returned" in text, text


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("refund 42 € for order 10042", "42.00"),
        ("Order number: 10042. Amount: 42. Item never came", "42.00"),
        ("please refund 42 for #10042", "42.00"),
        ("42 euros and 50 cents for order 10042, refund please", "42.50"),
        ("42.- EUR back for order 10042", "42.00"),
        ("I paid €80.00 for order 10042, please refund €42.00", "42.00"),
        ("Bought order 10042 for 80,- €, and €40 should be refunded", "40.00"),
        ("order 10042 cost 1.234,56 €; I want half of it, 617,28 €, back", "617.28"),
        ("refund me 10042.50 euros for ORD-10003", "10042.50"),
        ("Refund 12345 EUR for order ORD-10003", "12345.00"),
    ],
)
def test_the_amount_asked_back_is_chosen(text: str, amount: str) -> None:
    assert read_ticket(text).amount == Decimal(amount)


@pytest.mark.parametrize(
    "text",
    [
        "I want my money back for order 10042",
        "Where is order 10042?",
        "order 10042 from 2026-10-01 broke",
    ],
)
def test_no_amount_is_made_up(text: str) -> None:
    assert read_ticket(text).amount is None


@pytest.mark.parametrize(
    ("text", "orders"),
    [
        ("Please refund €42.00, the lamp is broken.", ()),
        ("Refund €12000 please", ()),
        ("Refund 12000 EUR please", ()),
        ("Either ORD-10001 or ORD-10002, refund €5", ("ORD-10001", "ORD-10002")),
        ("ORD-10001, I repeat, ord-10001", ("ORD-10001",)),
        ("10042 arrived late", ("ORD-10042",)),
    ],
)
def test_orders_are_neither_missed_nor_made_up(text: str, orders: tuple[str, ...]) -> None:
    assert read_ticket(text).orders == orders


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("I don't want a refund for order 10042, just a new lamp", Wish.NO_REFUND),
        ("No refund needed for 10042.", Wish.NO_REFUND),
        ("I have not received my refund for 10042", Wish.REFUND),
        ("Where is order 10042?", Wish.UNSAID),
    ],
)
def test_the_wish_is_read(text: str, wish: Wish) -> None:
    assert read_ticket(text).wish is wish


def test_a_mail_is_wanted_only_when_asked_for() -> None:
    assert read_ticket("Refund €5 for 10042 and confirm it by e-mail.").wants_mail
    assert read_ticket("Refund €5 for 10042 and email me.").wants_mail
    assert not read_ticket("Refund €5 for 10042. My e-mail programme is broken.").wants_mail
    assert not read_ticket("Refund €5 for 10042.").wants_mail


def confidence_of(text: str) -> float:
    return judge_clarity(read_ticket(text), Source.NAMED).confidence


def test_each_doubt_lowers_the_confidence() -> None:
    clear = confidence_of("Please refund €42.00 for ORD-10042, it arrived broken.")
    assert clear == 0.93
    for doubtful in (
        "Maybe refund €42.00 for ORD-10042, it arrived broken.",
        "Please refund €42.00 or €38.00 for ORD-10042, it arrived broken.",
        "Please refund 42 for ORD-10042, it arrived broken.",
        "€42.00 for ORD-10042, it arrived broken.",
    ):
        assert confidence_of(doubtful) < 0.80, doubtful
    assert 0.80 < confidence_of("Please refund €42.00 for ORD-10042.") < clear


def test_confidence_never_leaves_its_range() -> None:
    worst = "Maybe, perhaps, possibly, I think, roughly 5 or so, about €6, around 7.00 for 10042"
    assert 0.30 <= judge_clarity(read_ticket(worst), Source.GUESSED).confidence < 0.5


def test_the_reason_is_a_sentence_of_the_ticket() -> None:
    assert find_reason("Hello. The lamp is broken! Please refund.") == "The lamp is broken!"
    assert find_reason("Please refund.") == "The customer gives no reason."


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("at most €30 please", "30"),
        ("30", "30"),
        ("Make it 29,90", "29.90"),
        ("say why first", None),
    ],
)
def test_a_reviewers_amount_is_read_from_the_feedback(text: str, amount: str | None) -> None:
    assert amount_in_reply(text) == (Decimal(amount) if amount else None)


def test_a_reviewers_no_is_told_from_a_limit() -> None:
    assert is_refusal("Do not refund this.")
    assert is_refusal("No refund please")
    assert not is_refusal("Do not refund more than €30")
