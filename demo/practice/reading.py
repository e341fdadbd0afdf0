"""What a ticket says: order numbers, amounts in euro, and what the customer wants. Pure, by plain patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

CENT = Decimal("0.01")

ORDER_PATTERNS = (
    re.compile(r"\bORD[\s_#:-]*(\d{4,8})\b", re.IGNORECASE),
    re.compile(
        r"\b(?:order|purchase|invoice)\b[^\d€$£\n]{0,24}(\d{5,8})\b(?![.,]\d|\s*(?:€|eur))",
        re.IGNORECASE,
    ),
    re.compile(r"#\s*(\d{5,8})\b(?![.,]\d)"),
    re.compile(r"(?<![\d.,€$£-])(?<!€ )\b(\d{5})\b(?![.,-]?\d|\s*(?:€|eur))", re.IGNORECASE),
)
"""From the plainest to a lone five-digit number; the first that finds anything counts."""

NUMBER = r"(?<![\d.,])(?:\d{1,3}(?:[.,'’ \u00a0\u202f]\d{3})+|\d+)(?:[.,]\d{1,2})?(?!\d)"
CURRENCY = r"(?:€|(?<![a-z])eur(?:os?)?(?![a-z]))"
MARKED_AMOUNT = re.compile(
    rf"{CURRENCY}\s*:?\s*({NUMBER})|({NUMBER})(?:[.,][-–])?\s*{CURRENCY}(?:\s*(?:and\s+)?(\d{{1,2}})\s*cents?\b)?",
    re.IGNORECASE,
)
BARE_AMOUNT = re.compile(
    rf"(?:\b(?:refund|reimburse|amount|back|pay|credit)\w*\s*:?\s*(?:me\s+|us\s+)?(?:of\s+|is\s+|to\s+)?:?\s*({NUMBER}))"
    r"|(?<![\d.,])(\d+[.,]\d{2})(?![\d.,]*\d)",
    re.IGNORECASE,
)

ASKS_BACK = re.compile(
    r"refund|reimburs|money\s+back|pa(?:y|id)\s+(?:\w+\s+)?back|giv(?:e|en)\s+(?:\w+\s+)?back|(?:€|eur\w*|\d)\s+back\b"
    r"|compensat|credit(?:ed)?\b|return(?:ed)?\b|chargeback",
    re.IGNORECASE,
)
WAVES_OFF = re.compile(
    r"(?:do\s+not|don['’]?t|not)\s+(?:want|need|wish|require|ask(?:ing)?\s+for|looking\s+for|issue|give)\b[^.!?\n]{0,25}refund"
    r"|no\s+refunds?\s+(?:is\s+|are\s+)?(?:needed|necessary|required|wanted|please)|without\s+(?:a\s+)?refund",
    re.IGNORECASE,
)
NAMES_A_REASON = re.compile(
    r"broke|damag|defect|fault|scratch|crack|dent|leak|torn|stain|wrong|missing|incomplete|\blate\b|delay|lost\b"
    r"|never\s+(?:arriv|came|show|deliver)|(?:not|n['’]t)\s+(?:\w+\s+)?(?:arriv|work|fit|turn|deliver|received|come|start)"
    r"|stopped\s+working|\bdead\b|too\s+(?:small|big|large|short|long)|duplicate|twice|double|overcharg"
    r"|changed\s+(?:my|our)\s+mind|cancel|because|faulty|unusable|bent|chipped|empty|quality|not\s+as\s+described",
    re.IGNORECASE,
)
HEDGES = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|presumably|might|not\s+(?:quite\s+|really\s+|entirely\s+)?(?:sure|certain)"
    r"|unsure|i\s+(?:think|guess|believe|suppose)|as\s+far\s+as\s+i|roughly|approximately|approx|around|about\s+(?=[€\d])"
    r"|or\s+so|something\s+like|some\s+kind|somehow|if\s+i\s+remember|can['’]?t\s+remember|don['’]?t\s+(?:remember|recall|know))",
    re.IGNORECASE,
)
WHOLE = re.compile(
    r"full\s+(?:refund|amount|price|sum|value)|(?:whole|entire|complete|total)\s+(?:\w+\s+)?(?:refund|amount|price|sum|order)"
    r"|in\s+full\b|fully|money\s+back|everything|all\s+of\s+it|cancel",
    re.IGNORECASE,
)
SINGLE_ITEM = re.compile(
    r"\b(?:one|1)\s+(?:of\b|item\b|piece\b|unit\b)|\ba\s+single\b", re.IGNORECASE
)
WANTS_MAIL = re.compile(
    r"(?:confirm|tell|inform|notify|write|send|let|answer|reply)[^.!?\n]{0,50}\be-?mail"
    r"|\be-?mail\s+(?:me|us|him|her|them|the\s+customer)\b",
    re.IGNORECASE,
)
PRICE_WORDS = re.compile(
    r"(?:paid|bought|cost|costs|price|priced|worth|charged|instead\s+of|total|value)\D{0,20}$",
    re.IGNORECASE,
)


class Wish(StrEnum):
    """What the ticket wants."""

    REFUND = "refund"
    NO_REFUND = "no_refund"
    UNSAID = "unsaid"


@dataclass(frozen=True)
class Ticket:
    """A ticket as it was understood. `amount` is the one asked for, `amounts` all that are named.

    Orders are in normal form (`ORD-10042`), each once, in the order in which they are named. `reason` is the
    sentence that gives one, or says that there is none.
    """

    orders: tuple[str, ...]
    amount: Decimal | None
    amounts: tuple[Decimal, ...]
    currency_named: bool
    wish: Wish
    reason: str
    reason_named: bool
    hedges: tuple[str, ...]
    whole: bool
    single_item: bool
    wants_mail: bool


def read_ticket(text: str) -> Ticket:
    """Read one ticket."""
    orders, rest = find_orders(text)
    found, marked = find_amounts(rest)
    return Ticket(
        orders=orders,
        amount=choose_amount(rest, found),
        amounts=tuple(dict.fromkeys(amount for amount, _ in found)),
        currency_named=marked,
        wish=read_wish(text),
        reason=find_reason(text),
        reason_named=bool(NAMES_A_REASON.search(text)),
        hedges=hedges_in(text),
        whole=bool(WHOLE.search(text)),
        single_item=bool(SINGLE_ITEM.search(text)),
        wants_mail=bool(WANTS_MAIL.search(text)),
    )


def hedges_in(text: str) -> tuple[str, ...]:
    """The words that leave a doubt, each once, as they were written first."""
    found: dict[str, str] = {}
    for match in HEDGES.finditer(text):
        words = match.group().strip()
        found.setdefault(words.lower(), words)
    return tuple(found.values())


def find_orders(text: str) -> tuple[tuple[str, ...], str]:
    """The order numbers, and the text with them blanked out so that they are not read as amounts."""
    for pattern in ORDER_PATTERNS:
        if matches := list(pattern.finditer(text)):
            numbers = tuple(dict.fromkeys(f"ORD-{match.group(1)}" for match in matches))
            rest = list(text)
            for match in matches:
                rest[match.start(1) : match.end(1)] = "_" * len(match.group(1))
            return numbers, "".join(rest)
    return (), text


def find_amounts(text: str) -> tuple[list[tuple[Decimal, int]], bool]:
    """Amounts with their places in the text, and whether they name the currency."""
    marked = []
    for match in MARKED_AMOUNT.finditer(text):
        amount = to_euro(match.group(1) or match.group(2))
        if match.group(3):
            amount += Decimal(match.group(3)) / 100
        marked.append((amount, match.start()))
    if marked:
        return [(amount, place) for amount, place in marked if amount > 0], True
    bare = [
        (to_euro(match.group(1) or match.group(2)), match.start(1 if match.group(1) else 2))
        for match in BARE_AMOUNT.finditer(text)
    ]
    return [(amount, place) for amount, place in bare if amount > 0], False


def to_euro(number: str) -> Decimal:
    """`1,234.50`, `1.234,50`, `1 234,5` and `1234.5` are all 1234.50; three digits after a mark are thousands."""
    compact = re.sub(r"['’ \u00a0\u202f]", "", number)
    whole, mark, cents = compact, "", ""
    last = max(compact.rfind("."), compact.rfind(","))
    if last >= 0 and len(compact) - last - 1 in (1, 2):
        whole, mark, cents = compact[:last], ".", compact[last + 1 :]
    return Decimal(re.sub(r"[.,]", "", whole) + mark + cents).quantize(CENT)


def choose_amount(text: str, found: list[tuple[Decimal, int]]) -> Decimal | None:
    """The amount asked back: no mere price, and the one that stands closest to a word for it."""
    if not found:
        return None
    asks = [match.start() for match in ASKS_BACK.finditer(text)]

    def distance(place: int) -> tuple[bool, int]:
        nearest = min((abs(place - ask) for ask in asks), default=0)
        return bool(PRICE_WORDS.search(text[:place])), nearest

    return min(found, key=lambda item: distance(item[1]))[0]


def read_wish(text: str) -> Wish:
    """Whether money is wanted back."""
    if WAVES_OFF.search(text):
        return Wish.NO_REFUND
    return Wish.REFUND if ASKS_BACK.search(text) else Wish.UNSAID


def find_reason(text: str) -> str:
    """The first sentence that names a reason, cut to 200 characters."""
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text.strip()):
        if NAMES_A_REASON.search(sentence):
            return sentence.strip()[:200]
    return "The customer gives no reason."


def amount_in_reply(text: str) -> Decimal | None:
    """The amount a person names in a reply such as `at most €30` or `30`; None when there is none."""
    _, rest = find_orders(text)
    found, _ = find_amounts(rest)
    if found:
        return found[-1][0]
    numbers = [to_euro(match.group()) for match in re.finditer(NUMBER, rest)]
    return next((number for number in reversed(numbers) if number > 0), None)


def is_refusal(text: str) -> bool:
    """Whether a person says that nothing is to be refunded."""
    return bool(
        WAVES_OFF.search(text)
        or re.search(r"\b(?:do\s+not|don['’]?t)\s+refund\b(?!\s+more)", text, re.IGNORECASE)
    )
