"""A request's row in a list, as one tag: a page holds fifty, and each cost more as a template than all it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from approvals.templatetags.interface import due, icon, moment, reveal, risk_mark
from audit.markup import markup

if TYPE_CHECKING:
    from approvals.views.inbox import Row

register = template.Library()

_NOTHING: Final = SafeString()
_NO_PICK: Final = SafeString('<span class="row-pick"></span>')


@register.simple_tag
def request_row(row: Row, *, batches: bool) -> SafeString:
    """One request in a list; `batches`: with a box to tick where it may be decided together with others."""
    item = row.item
    return markup(
        '<li class="row{closed}" id="row-{pk}" data-id="{pk}" data-version="{version}" '
        'data-risk="{risk}" data-order="{order}"{batch}>{pick}'
        '<a class="row-link" href="{url}" hx-get="{url}" hx-target="#detail" '
        'hx-swap="innerHTML show:none" hx-push-url="true" hx-sync="#detail:replace"{current}>\n'
        '  <span class="row-risk">{mark}</span>\n'
        '  <span class="row-title">{title}</span>\n'
        '  <span class="row-when">{when}</span>\n'
        '  <span class="row-sub">{sub}</span>\n'
        "</a></li>\n",
        closed=" closed" if row.closed else "",
        pk=SafeString(item.pk),
        version=item.version,
        risk=item.risk,
        order=row.order,
        batch=markup(' data-batch="{}"', row.batch) if batches else _NOTHING,
        pick=_pick(row) if batches else _NOTHING,
        url=row.url,
        current=SafeString(' aria-current="true"') if row.current else _NOTHING,
        mark=risk_mark(item.risk),
        title=reveal(item.preview.get("title", "")),
        when=_when(row),
        sub=row.closed or _sub(row, batches=batches),
    )


def _when(row: Row) -> SafeString:
    if row.closed:
        return moment(row.item.decided_at)
    return due(row.item, short=True) if row.item.review_deadline else _NOTHING


def _pick(row: Row) -> SafeString:
    """The box to tick; its room alone where there is none, so that all rows stand alike."""
    if not row.batch or row.closed:
        return _NO_PICK
    return markup(
        '<label class="row-pick"><input type="checkbox" name="id" value="{}" form="batch-form" '
        'autocomplete="off"><span class="visually-hidden">{}</span></label>',
        SafeString(row.item.pk),
        gettext("Select {title}").format(title=row.item.preview.get("title", "")),
    )


def _sub(row: Row, *, batches: bool) -> SafeString:
    """Whose request it is, who is on it, and why it is decided alone."""
    claim = (
        markup(' · <span class="row-claim">{}{}</span>', icon("eye"), row.claimed_by)
        if row.claimed_by
        else _NOTHING
    )
    return markup("{}{}{}", row.sub, claim, _alone(row) if batches else _NOTHING)


def _alone(row: Row) -> SafeString:
    if row.alone:
        why = gettext("one by one: {alone}").format(alone=row.alone)
        return markup('<span class="row-alone">· {}</span>', why)
    apart = gettext("one by one: another agent or tool")
    return markup('<span class="row-apart">· {}</span>', apart)
