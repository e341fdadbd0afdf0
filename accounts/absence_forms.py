"""What people type about their time out of office. The service checks what it means."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from accounts.models import User
from audit.wordings import str_later

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

MINUTES: Final = "%Y-%m-%dT%H:%M"


def _moment(label: StrOrPromise, help_text: StrOrPromise) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label,
        help_text=help_text,
        input_formats=[MINUTES, "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTES),
    )


class AbsenceForm(forms.Form):
    """From when until when, and who stands in. Moments are in UTC."""

    stand_in = forms.ModelChoiceField(
        queryset=User.objects.none(),
        label=gettext_lazy("Who stands in"),
        empty_label=gettext_lazy("Choose a person"),
    )
    starts_at = _moment(str_later("From (UTC)"), str_later("A time in the past means from now on."))
    ends_at = _moment(str_later("Until (UTC)"), str_later("It ends by itself then."))

    def __init__(self, data: Any, *, person: User, now: datetime) -> None:
        super().__init__(data, initial={"starts_at": now})
        field = self.fields["stand_in"]
        assert isinstance(field, forms.ModelChoiceField)
        others = User.objects.holding("decide_requests").exclude(pk=person.pk)
        field.queryset = others.order_by("username")

    def take(self, errors: dict[str, list[str]]) -> None:
        """Show what the service found wrong beside the fields it is about."""
        for name, sentences in errors.items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)
