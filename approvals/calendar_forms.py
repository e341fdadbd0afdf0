"""What people type about a working calendar. The service checks what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from approvals.calendars import WEEKDAYS, Calendar, as_written

_HOLIDAY: Final = re.compile(r"^(\d{4}-\d{2}-\d{2})[\s,;:]+(.*)$")
LONGEST_HOLIDAYS: Final = 20_000


class CalendarForm(forms.Form):
    """A week as text fields and holidays a line each: `document()` is what `calendars.load` takes."""

    title = forms.CharField(max_length=80, label=gettext_lazy("Title"))
    slug = forms.CharField(
        max_length=64,
        label=gettext_lazy("Short name"),
        help_text=gettext_lazy(
            "What policies call it: lower-case letters, digits and hyphens. It stays as it is."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    timezone = forms.CharField(
        max_length=64,
        label=gettext_lazy("Time zone"),
        initial="UTC",
        help_text=gettext_lazy("Such as Europe/Berlin."),
    )
    holidays = forms.CharField(
        required=False,
        max_length=LONGEST_HOLIDAYS,
        label=gettext_lazy("Holidays"),
        help_text=gettext_lazy(
            "A line each: the date, then its name, such as 2026-12-25 Christmas Day."
        ),
        widget=forms.Textarea(attrs={"rows": "6", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for day in WEEKDAYS:
            self.fields[day] = forms.CharField(
                required=False,
                max_length=200,
                label=day.capitalize(),
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )
        if not new:
            del self.fields["slug"]

    @classmethod
    def initial_of(cls, calendar: Calendar) -> dict[str, str]:
        """The form's values for a calendar there is."""
        return {
            "title": calendar.title,
            "timezone": calendar.timezone,
            "holidays": "\n".join(f"{h.day.isoformat()} {h.name}" for h in calendar.holidays),
            **{day: ", ".join(calendar.hours.get(day, ())) for day in WEEKDAYS},
        }

    @property
    def weekdays(self) -> list[forms.BoundField]:
        """The fields of the week, Monday first."""
        return [self[day] for day in WEEKDAYS]

    @property
    def general(self) -> list[forms.BoundField]:
        """The fields before the week."""
        return [self[name] for name in ("title", "slug", "timezone") if name in self.fields]

    def clean_holidays(self) -> list[dict[str, str]]:
        """Each line as a day and a name; the line that is neither is named."""
        holidays = []
        for number, line in enumerate(self.cleaned_data["holidays"].splitlines(), start=1):
            if not line.strip():
                continue
            found = _HOLIDAY.fullmatch(line.strip())
            if found is None:
                raise forms.ValidationError(
                    gettext(
                        "Line {number}: write a date and a name, such as 2026-12-25 Christmas Day."
                    ).format(number=number)
                )
            holidays.append({"day": found[1], "name": found[2]})
        return holidays

    def clean(self) -> dict[str, Any]:
        """Every span of every day, so that all that does not hold is said at once."""
        cleaned: dict[str, Any] = super().clean() or {}
        for day in WEEKDAYS:
            for span in _spans(cleaned.get(day, "")):
                try:
                    as_written(span)
                except ValueError as error:
                    self.add_error(day, _sentence(str(error)))
        return cleaned

    def document(self) -> dict[str, Any]:
        """The calendar as it was typed; only after is_valid()."""
        cleaned = self.cleaned_data
        week = {day: _spans(cleaned[day]) for day in WEEKDAYS}
        return {
            **{name: cleaned[name] for name in ("title", "slug", "timezone") if name in cleaned},
            "hours": {day: spans for day, spans in week.items() if spans},
            "holidays": cleaned["holidays"],
        }

    def take(self, errors: Sequence[Mapping[str, str]]) -> None:
        """Put what does not hold at the field where it was typed."""
        for error in errors:
            field, message = error["field"], error["message"]
            parts = field.split(".")
            name = parts[1] if parts[0] == "hours" and len(parts) > 1 else parts[0]
            if parts[0] == "holidays" and len(parts) > 1:
                holiday = self.cleaned_data["holidays"][int(parts[1])]
                message = f"{holiday['day']} {holiday['name']}: {message}"
            self.add_error(name if name in self.fields else None, _sentence(message))


def _spans(text: str) -> list[str]:
    return [span.strip() for span in text.split(",") if span.strip()]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
