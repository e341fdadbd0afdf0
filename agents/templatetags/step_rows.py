"""A step's line in a timeline, as tags: a long run shows many, and each cost more as a template than all it says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django import template
from django.utils import timezone
from django.utils.dateformat import format as written
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from agents.templatetags.run_words import cost, span, thousands
from approvals.templatetags.interface import icon, reveal, state_tone, state_word
from audit.markup import joined, markup

if TYPE_CHECKING:
    from agents.models import Step
    from agents.timeline_rows import Bar, Row

register = template.Library()

_NOTHING: Final = SafeString()


@register.simple_tag
def step_line(row: Row) -> SafeString:
    """What a step is, how it stands, and when it was at work: the columns of its line."""
    title, about = row.title, row.about
    if about.lower().startswith(f"{title.lower()} "):
        # `Pay €42.00 to A1` says of the tool `Pay` what it is.
        title, about = about, ""
    beside = markup(' <span class="step-about">{}</span>', reveal(about))
    return markup(
        '<span class="step-icon">{}</span>\n'
        '      <span class="step-words"><span class="step-title">{}</span>{}</span>\n'
        '      <span class="step-state"><span class="chip state-{}">{}</span></span>\n'
        '      <svg class="step-bar" aria-hidden="true"><rect class="lane" x="0" y="5" width="100%" height="2"/>'
        "{}</svg>\n"
        '      <span class="step-time">{}</span>\n'
        '      <span class="step-tokens">{}</span>',
        icon(row.icon),
        reveal(title),
        beside if about else _NOTHING,
        state_tone(row.tone),
        row.state or state_word(row.tone),
        _bars(row.bars),
        _time(row),
        _tokens(row),
    )


def _bars(bars: Iterable[Bar]) -> SafeString:
    return joined(
        "",
        '<rect class="{}" x="{}%" y="{}" width="{}%" height="{}" rx="2"{}/>',
        (
            ("wait", f"{bar.x:.2f}", 0, f"{bar.width:.2f}", 12, SafeString(' fill="url(#hatch)"'))
            if bar.wait
            else ("work", f"{bar.x:.2f}", 1, f"{bar.width:.2f}", 10, _NOTHING)
            for bar in bars
        ),
    )


def _time(row: Row) -> SafeString:
    worked = "" if row.worked_seconds is None else span(row.worked_seconds)
    if row.waited_seconds is None:
        return markup("{}", worked)
    waited = gettext("waited {waited_seconds}").format(waited_seconds=span(row.waited_seconds))
    return markup('{}<span class="third">{}{}</span>', worked, " " if worked else "", waited)


def _tokens(row: Row) -> SafeString:
    if not row.tokens:
        return _NOTHING
    return markup("{} {}", thousands(row.tokens), gettext("tokens"))


@register.simple_tag
def step_cost(row: Row) -> SafeString:
    """What a step cost, and for how many tokens."""
    tokens = gettext("{tokens_in} tokens in, {tokens_out} out").format(
        tokens_in=thousands(row.shown["tokens_in"] or 0),
        tokens_out=thousands(row.shown["tokens_out"] or 0),
    )
    return markup(
        '<p>{} <span class="third">· {}</span></p>', cost(row.shown["cost_micros"]), tokens
    )


@register.simple_tag
def step_when(step: Step) -> SafeString:
    """When a step began and ended, and what its call is named by."""
    began, ended = step.started_at, step.finished_at
    at_once = ended is not None and began.replace(microsecond=0) == ended.replace(microsecond=0)
    until = _NOTHING if ended is None or at_once else markup(" {} {}", gettext("to"), _clock(ended))
    call = markup(" · {} <code>{}</code>", gettext("call"), step.call_id)
    return markup(
        '<p class="fine step-when">{} {} {}{}{}</p>',
        gettext("Step {seq},").format(seq=step.seq),
        gettext("at") if at_once else gettext("from") if ended else gettext("since"),
        _clock(began),
        until,
        call if step.call_id else _NOTHING,
    )


def _clock(at: datetime) -> SafeString:
    local = timezone.localtime(at)
    return markup(
        '<time datetime="{}">{}</time>', local.isoformat(), written(local, gettext("H:i:s"))
    )


def _address(step: Step, steps_url: str) -> str:
    """Of the step's own page; `steps_url` is that of the run's steps, told once for all of them."""
    return f"{steps_url}{step.seq}/"


@register.simple_tag
def step_raw(step: Step, steps_url: str) -> SafeString:
    """The fold that a script fills with the raw request and response; without one, the way to their page."""
    return markup(
        '<details class="fold step-raw" id="step-{seq}-raw" data-raw="{url}">\n'
        "        <summary>{raw}</summary>\n"
        '        <div class="step-raw-body" id="step-{seq}-raw-body"><p><a href="{url}">{open}</a></p></div>\n'
        "      </details>",
        seq=str(step.seq),
        url=_address(step, steps_url),
        raw=gettext("Raw request and response"),
        open=gettext("Open the raw request and response of step {seq}").format(seq=step.seq),
    )


@register.simple_tag
def step_link(step: Step, steps_url: str) -> SafeString:
    """The way to the step alone."""
    return markup(
        '<a class="step-link" data-beside="{seq}" href="{url}">'
        '<span class="visually-hidden">{all} </span>{seq}</a>',
        seq=str(step.seq),
        url=_address(step, steps_url),
        all=gettext("All of step"),
    )
