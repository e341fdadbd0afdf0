"""A run's row in a table, as one tag: lists are full of them, and each cost more as a template than all it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from agents.templatetags.run_words import cost, thousands
from approvals.templatetags.interface import moment, reveal, spelled, state_tone, state_word
from audit.markup import joined, markup

if TYPE_CHECKING:
    from agents.models import Run
    from agents.views.runs import RunRow
    from agents.waits import Wait

register = template.Library()

_NOTHING: Final = SafeString()
#: What a run waits for beyond these is a number.
MOST_WAITS: Final = 2


@register.simple_tag
def run_row(row: RunRow, *, with_agent: bool, choose: str) -> SafeString:
    """One run. `with_agent`: with a cell for its agent; `choose`: the form that it may be chosen for, or none."""
    run = row.run
    return markup(
        '<tr class="linked" id="run-{pk}">\n'
        "    {choose}\n"
        '    <td class="lead" data-label="{task}"><a class="row-link run-title" href="{url}">{title}</a>{marks}</td>\n'
        "    {agent}\n"
        '    <td data-label="{state_word}" class="run-state"><span class="chip state-{tone}">{state}</span></td>\n'
        '    <td data-label="{waits_word}" class="run-waits{none}">{waits}</td>\n'
        '    <td data-label="{by_word}">{by}</td>\n'
        '    <td data-label="{started_word}" class="nowrap">{started}</td>\n'
        '    <td data-label="{tokens_word}" class="number">'
        '<span class="run-tokens" data-unit="{unit}">{tokens}</span>{cost}</td>\n'
        "  </tr>",
        pk=str(run.pk),
        choose=_box(run, choose) if choose else _NOTHING,
        task=gettext("Task"),
        url=reverse("run-detail", args=(run.pk,)),
        title=reveal(run.title),
        marks=joined(
            "", '<span class="fine run-changed">{}</span>', ((mark,) for mark in _marks(run))
        ),
        agent=_agent(run) if with_agent else _NOTHING,
        state_word=gettext("State"),
        tone=state_tone(row.tone),
        state=row.state or state_word(row.tone),
        waits_word=gettext("Waits for"),
        none="" if row.waits else " none",
        waits=_waits(row.waits),
        by_word=gettext("Started by"),
        by=str(run.initiator),
        started_word=gettext("Started"),
        started=moment(run.created_at, "relative"),
        tokens_word=gettext("Tokens"),
        unit=gettext("tokens"),
        tokens=thousands(row.tokens),
        cost=_cost(run),
    )


def _box(run: Run, form: str) -> SafeString:
    return markup(
        '<td class="run-choose"><label><input type="checkbox" name="run" value="{}" form="{}" '
        'aria-label="{}: {}"></label></td>',
        str(run.pk),
        form,
        gettext("Compare"),
        spelled(run.title),
    )


def _marks(run: Run) -> Iterator[str]:
    """What else is to be known of the run."""
    if run.forked_from_id:
        yield gettext("Fork: simulated")
    elif run.simulated:
        yield gettext("Simulated")
    if run.goal:
        yield gettext("Task changed")
    if run.parent_id:
        yield gettext("Handed on by another agent")


def _agent(run: Run) -> SafeString:
    return markup('<td data-label="{}" class="nowrap">{}</td>', gettext("Agent"), run.agent.title)


def _waits(waits: list[Wait]) -> SafeString:
    if not waits:
        return SafeString('<span class="third">–</span>')
    first = joined("", "{}", ((_wait(wait),) for wait in waits[:MOST_WAITS]))
    if len(waits) <= MOST_WAITS:
        return first
    more = gettext("and {waits} more").format(waits=len(waits) - MOST_WAITS)
    return markup('{}<span class="third">{}</span>', first, more)


def _wait(wait: Wait) -> SafeString:
    if wait.request is None or not wait.request.may_open:
        return markup("<span>{}</span>", reveal(wait.words))
    url = reverse("request-detail", args=(wait.request.id,))
    return markup('<a href="{}">{}</a>', url, reveal(wait.words))


def _cost(run: Run) -> SafeString:
    if not run.shown_cost_micros:
        return _NOTHING
    amount = cost(run.shown_cost_micros, run.unpriced_calls)
    return markup(' <span class="third">{}</span>', amount)
