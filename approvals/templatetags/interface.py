"""Words and shapes that the templates share: icons, glyphs, times, and text made safe to decide on."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from typing import Any

from django import template
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from accounts.keymap import KeyMap
from approvals import characters
from approvals.deadlines import working_time_left
from approvals.layouts import heading, words_of
from approvals.models import MOST_COUNTED, ApprovalRequest
from audit import spellings
from audit.markup import joined, markup

register = template.Library()

RISK_GLYPHS = {"low": "○", "medium": "◐", "high": "●", "critical": "▲"}

RISK_WORDS = {
    "low": "Low",
    "medium": "Medium",
    "high": "High",
    "critical": "Critical",
}

STATE_TONES = {
    "open": (
        "pending",
        "running",
        "queued",
        "ready",
        "dispatched",
        "accepted",
        "draft",
    ),
    "wait": ("waiting", "sleeping", "paused", "in_doubt", "disabled"),
    "good": (
        "approved",
        "answered",
        "consumed",
        "succeeded",
        "confirmed",
        "published",
        "allow",
    ),
    "bad": ("rejected", "failed", "bounced", "deny", "denied"),
}
STATE_WORDS = {
    "pending": "Pending",
    "running": "Running",
    "queued": "Queued",
    "accepted": "Accepted",
    "draft": "Draft",
    "paused": "Paused",
    "disabled": "Disabled",
    "approved": "Approved",
    "answered": "Answered",
    "succeeded": "Succeeded",
    "confirmed": "Confirmed",
    "published": "Published",
    "allow": "Allow",
    "review": "Review",
    "rejected": "Rejected",
    "failed": "Failed",
    "bounced": "Bounced",
    "deny": "Deny",
    "denied": "Denied",
    "abstained": "Abstained",
    "cancelled": "Cancelled",
    "expired": "Expired",
    "lapsed": "Lapsed",
    "superseded": "Superseded",
    "returned": "Returned",
    "compensated": "Compensated",
    "contradicted": "Contradicted",
    "in_doubt": "In doubt",
    "consumed": "Approved",
    "ready": "Ready to go on",
    "dispatched": "Executing",
    "waiting": "Waiting for a person",
    "sleeping": "Waiting to retry",
}

URGENT_SECONDS = 60 * 60
#: How many different characters a mark names in its title.
MOST_NAMED = 4
#: Further away a list says the days: counting working hours of every row takes time.
MOST_COUNTED_IN_LISTS = timedelta(days=14)


@register.simple_tag
def page_language() -> str:
    """The language of the page, as its element `html` names it: `en`."""
    return spellings.language()


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str) -> SafeString:
    """The icon `name` of the sprite in base.html; decorative, so the text beside it carries the meaning."""
    return markup('<svg class="icon" aria-hidden="true"><use href="#icon-{}"/></svg>', name)


@register.simple_tag
def risk_mark(risk: str) -> SafeString:
    """The glyph of a risk in its colour, with the word for screen readers; a tag, since lists are full of it."""
    return _risk_mark(risk, spellings.language())


@lru_cache(maxsize=64)
def _risk_mark(risk: str, _language: str) -> SafeString:
    return markup(
        '<span class="glyph risk-{0}" aria-hidden="true">{1}</span>'
        '<span class="visually-hidden">{2}</span>',
        risk,
        risk_glyph(risk),
        gettext("{risk} risk").format(risk=risk_word(risk)),
    )


@register.filter
def risk_word(risk: str) -> str:
    """A risk as a reader says it: `Low`."""
    return gettext(RISK_WORDS.get(str(risk), str(risk).capitalize()))


@register.filter
def translated(words: object) -> str:
    """A word of ours that comes out of a table or a model, in the reader's language."""
    return gettext(str(words)) if words else ""


@register.filter
def risk_glyph(risk: str) -> str:
    """The glyph of a risk; a risk nobody knows looks like the highest."""
    return RISK_GLYPHS.get(str(risk), RISK_GLYPHS["critical"])


@register.filter
def state_tone(state: str) -> str:
    """One of open, wait, good, bad, done: the colour family of a state."""
    return next((tone for tone, states in STATE_TONES.items() if str(state) in states), "done")


@register.filter
def state_word(state: str) -> str:
    """A state as a reader says it: `in_doubt` becomes `In doubt`."""
    return gettext(STATE_WORDS.get(str(state), str(state).replace("_", " ").capitalize()))


@register.filter
def key_of(keymap: KeyMap | str, action: str) -> str:
    """The key of an action as it stands beside its words; empty where it has none, or none works."""
    return keymap.hints.get(action, "") if isinstance(keymap, KeyMap) else ""


@register.simple_tag(takes_context=True)
def key_hint(context: Mapping[str, Any], action: str) -> SafeString:
    """The key of an action, to stand after its words."""
    key = key_of(context.get("keymap", ""), action)
    return markup(' <kbd aria-hidden="true">{}</kbd>', key) if key else SafeString()


register.filter("in_words", words_of)
register.filter("heading", heading)


@register.filter
def initials(name: str) -> str:
    """Up to two letters that stand for a name; for `second-reviewer`, `SR`."""
    words = str(name).replace("-", " ").replace(".", " ").replace("_", " ").split()
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def reveal(value: object) -> SafeString:
    """A value as text in which invisible, direction-turning and look-alike characters are marked.

    Marks beside each other are one element: thousands of them must not freeze the page.
    """
    text = as_text(value)
    if characters.is_plain(text):
        return escape(text)
    parts: list[SafeString | str] = []
    for unseen, beside in groupby(characters.runs(text), lambda run: run.invisible):
        if unseen:
            parts.append(_mark(list(beside)))
        else:
            parts.extend(_mark([run]) if run.note else run.text for run in beside)
    return joined("", "{}", ((part,) for part in parts))


@register.filter
def marked(value: object) -> bool:
    """Whether `reveal` would mark anything in it."""
    return any(run.note for run in characters.runs(as_text(value)))


@register.filter
def spelled(value: object) -> str:
    """The same where nothing can be drawn (titles, labels): each mark as `[U+202E]`."""
    return characters.spelled(as_text(value))


def _mark(beside: Sequence[characters.Run]) -> SafeString:
    names = list(dict.fromkeys(run.note for run in beside))
    unnamed = len(names) - MOST_NAMED
    more = " " + gettext("and {number} more").format(number=unnamed) if unnamed > 0 else ""
    shown = " ".join(run.code_point if run.invisible else run.text for run in beside)
    return markup(
        '<span class="revealed" title="{}{}">{}</span>', ", ".join(names[:MOST_NAMED]), more, shown
    )


@register.filter
def as_text(value: object) -> str:
    """A JSON value the way a person reads it: text as it is, yes and no, the rest as indented JSON."""
    if isinstance(value, str | Promise):
        return str(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, int | float | Decimal):
        return str(value)
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def counted(number: int) -> str:
    """A number of requests as `ApprovalRequestQuerySet.number` counts them: 12, or 200+."""
    return f"{MOST_COUNTED}+" if number > MOST_COUNTED else str(number)


@register.filter
def grouped(number: int) -> str:
    """A large number with its thousands apart: 1,200,000."""
    return spellings.number(number)


@register.filter
def percent(share: float | Decimal | None) -> str:
    """A share of one as a number of per cent, held between 0 and 100, for drawing."""
    return f"{min(max(float(share or 0), 0.0), 1.0) * 100:.1f}"


@register.filter
def basis_points(value: int | None) -> str:
    """Basis points as a share with two digits: 6100 becomes `0.61`."""
    return "–" if value is None else spellings.decimals(value / 10_000, 2)


@register.filter
def dollars(micros: int | None) -> str:
    """Millionths of a dollar as dollars; small sums keep enough digits to be told from nothing."""
    if not micros:
        return spellings.dollars(Decimal(0))
    amount = Decimal(micros) / 1_000_000
    if amount < Decimal("0.0001"):
        return gettext("under {amount}").format(amount=spellings.dollars(Decimal("0.0001"), 4, 4))
    return spellings.dollars(amount, 2, 2 if amount >= 1 else 4)


@register.filter
def duration(value: timedelta | float | None) -> str:
    """A span, shortest honest form: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 2 h`."""
    if value is None:
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 10:
        return f"{spellings.decimals(max(seconds, 0), 1)} s"
    whole = round(seconds)
    for size, unit, lower_size, lower_unit in (
        (86_400, gettext("d"), 3_600, gettext("h")),
        (3_600, gettext("h"), 60, gettext("min")),
        (60, gettext("min"), 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // lower_size
            return (
                f"{whole // size} {unit} {rest} {lower_unit}" if rest else f"{whole // size} {unit}"
            )
    return f"{whole} s"


@register.filter
def clock(at: datetime) -> str:
    """A moment as `14:03` today, `19 Nov 14:03` this year, `19 Nov 2025` before."""
    local, today = timezone.localtime(at), timezone.localtime()
    return spellings.time_of_day(local) if local.date() == today.date() else dated(at)


def dated(at: datetime) -> str:
    """A moment with its day, also today: `22 Nov 14:03` this year, `19 Nov 2025` before."""
    local = timezone.localtime(at)
    same_year = local.year == timezone.localtime().year
    return spellings.day_and_time(local) if same_year else spellings.day(local)


@register.simple_tag
def moment(at: datetime | None, mode: str = "clock") -> SafeString:
    """A moment, short for today and longer before, whole in the title.

    `mode` is clock, dated (with its day also today), relative ("4 min ago") or countdown ("3:12"); scripts keep
    the last two true. A tag and no component file, since the newline at a file's end would stand before the
    punctuation that follows.
    """
    if at is None:
        return SafeString('<span class="third">–</span>')
    whole = timezone.localtime(at)
    text, attributes = _MOMENTS[mode](at)
    return markup(
        '<time datetime="{}" title="{}"{}>{}</time>',
        whole.isoformat(),
        spellings.whole_moment(whole),
        attributes,
        text,
    )


@register.simple_tag
def due(request: ApprovalRequest, *, short: bool = False) -> SafeString:
    """How long people have for a request: in its calendar's hours where it has one, else as a countdown.

    The last hour is a countdown in any case; scripts keep it true. `short` for lists.
    """
    at, now, calendar = request.review_deadline, timezone.now(), request.counts_by
    far = at is not None and short and at - now > MOST_COUNTED_IN_LISTS
    if at is None or calendar is None or far or urgency(at) != "calm":
        return moment(at, "countdown")
    words = working_time_left(now, at, calendar, short=short)
    if not words:
        return moment(at, "countdown")
    whole = timezone.localtime(at)
    return markup(
        '<time datetime="{}" title="{}" data-countdown data-working data-urgency="calm">{}</time>',
        whole.isoformat(),
        spellings.whole_moment(whole),
        words,
    )


@register.filter
def ago(at: datetime) -> str:
    """How long since: `just now`, `4 min ago`, `3 h ago`, else the moment itself."""
    seconds = (timezone.now() - at).total_seconds()
    if seconds < 60:
        return gettext("just now")
    if seconds < 3_600:
        return gettext("{number} min ago").format(number=int(seconds // 60))
    if seconds < 86_400:
        return gettext("{number} h ago").format(number=int(seconds // 3_600))
    return clock(at)


@register.filter
def left(at: datetime) -> str:
    """How long until: `3:12` in the last hour, `5 h`, `2 d`; `overdue` after it."""
    seconds = int((at - timezone.now()).total_seconds())
    if seconds < 0:
        return gettext("overdue")
    if seconds < 3_600:
        return f"{seconds // 60}:{seconds % 60:02d}"
    if seconds < 2 * 86_400:
        return f"{seconds // 3_600} {gettext('h')}"
    return f"{seconds // 86_400} {gettext('d')}"


@register.filter
def urgency(at: datetime) -> str:
    """`late`, `soon` (within the hour) or `calm`: how a deadline is coloured."""
    seconds = (at - timezone.now()).total_seconds()
    if seconds < 0:
        return "late"
    return "soon" if seconds < URGENT_SECONDS else "calm"


_MOMENTS: dict[str, Callable[[datetime], tuple[str, str]]] = {
    "clock": lambda at: (clock(at), ""),
    "dated": lambda at: (dated(at), ""),
    "relative": lambda at: (ago(at), SafeString(" data-relative")),
    "countdown": lambda at: (
        left(at),
        markup(' data-countdown data-urgency="{}"', urgency(at)),
    ),
}
