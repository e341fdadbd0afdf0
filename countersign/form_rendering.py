"""Fields of forms without a template for each of their parts: a list of fifty choices is a hundred templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from django.forms.renderers import DjangoTemplates
from django.utils.safestring import SafeString

from audit.markup import joined, markup

if TYPE_CHECKING:
    from django.http import HttpRequest

_NOTHING: Final = SafeString()


class FormRenderer(DjangoTemplates):
    """Inputs, texts and lists of choices as Django's own templates write them; all else by those templates."""

    def render(
        self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None
    ) -> SafeString:
        written = _WRITTEN.get(template_name)
        if written is None:
            return SafeString(super().render(template_name, context, request))
        return written(context["widget"])


def _attributes(widget: Mapping[str, Any]) -> SafeString:
    given = [(name, value) for name, value in widget["attrs"].items() if value is not False]
    return SafeString(
        "".join(
            markup(" {}", name) if value is True else markup(' {}="{}"', name, value)
            for name, value in given
        )
    )


def _input(widget: Mapping[str, Any]) -> SafeString:
    given = widget["value"]
    value = _NOTHING if given is None else markup(' value="{}"', given)
    kind, name = widget["type"], widget["name"]
    return markup('<input type="{}" name="{}"{}{}>', kind, name, value, _attributes(widget))


def _textarea(widget: Mapping[str, Any]) -> SafeString:
    # The first newline in it is none of the text.
    text = widget["value"] or ""
    return markup(
        '<textarea name="{}"{}>\n{}</textarea>', widget["name"], _attributes(widget), text
    )


def _select(widget: Mapping[str, Any]) -> SafeString:
    groups = joined("", "{}", ((_group(*group),) for group in widget["optgroups"]))
    return markup('<select name="{}"{}>{}\n</select>', widget["name"], _attributes(widget), groups)


def _group(name: str | None, options: list[Mapping[str, Any]], _index: int) -> SafeString:
    choices = joined("", "\n  {}", ((_option(option),) for option in options))
    if not name:
        return choices
    return markup('\n  <optgroup label="{}">{}\n  </optgroup>', name, choices)


def _option(widget: Mapping[str, Any]) -> SafeString:
    attributes, label = _attributes(widget), widget["label"]
    return markup('<option value="{}"{}>{}</option>\n', widget["value"], attributes, label)


_INPUTS: Final = (
    *("date", "datetime", "email", "hidden", "number", "password", "text", "time", "url"),
    *("search", "color", "tel", "checkbox", "input"),
)
_WRITTEN: Final[Mapping[str, Callable[[Mapping[str, Any]], SafeString]]] = {
    **{f"django/forms/widgets/{name}.html": _input for name in _INPUTS},
    "django/forms/widgets/textarea.html": _textarea,
    "django/forms/widgets/select.html": _select,
}
