"""What people type into the pages of approvals. The services check again what matters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_lazy

from approvals.policy_words import DEFAULT_LINE
from approvals.templatetags.interface import reveal
from audit import spellings
from audit.canonical import INTEGER_LIMIT, NOT_JSON, loads_strict
from audit.errors import Invalid
from audit.wordings import Words, str_later

DECIDE_FORM: Final = "decide-form"
LONGEST_TEXT: Final = 5_000
LONGEST_WHY: Final = 2_000
OWN_WORDS: Final = str_later("Other")


def _text_area(name: str, rows: int = 3, css: str = "", **attributes: str) -> forms.Textarea:
    return forms.Textarea(
        attrs={
            "form": DECIDE_FORM,
            "rows": str(rows),
            "data-draft": name,
            **({"class": css} if css else {}),
            **attributes,
        }
    )


class VerdictForm(forms.Form):
    """The part of a verdict that a person writes. `body()` is what it adds to the decision."""

    def body(self) -> dict[str, Any]:
        """Fields of `DecisionIn`; only after is_valid()."""
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}

    def add_refusals(self, errors: list[Mapping[str, Any]]) -> None:
        """Put what a service said at the fields it speaks of."""
        for error in errors:
            field = str(error.get("field", ""))
            name = field if field in self.fields else None
            self.add_error(name, str(error.get("message") or gettext("This does not hold.")))


Chips = Sequence[tuple[str, str]]
"""Code and label of each reason that is offered, in order."""


class ReasonForm(VerdictForm):
    """Why: told to the agent and kept in the log. Picked from the chips, written, or both.

    With `needed` one of the two has to be there.
    """

    reason_code = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        required=False,
        error_messages={
            "invalid_choice": gettext_lazy("This reason is no longer offered. Pick another.")
        },
        widget=forms.RadioSelect(attrs={"form": DECIDE_FORM}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=_text_area("reason", maxlength=str(LONGEST_TEXT)),
        help_text=gettext_lazy("The agent reads it, and the audit log keeps it."),
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        verdict: str,
        chips: Chips = (),
        needed: bool = True,
    ) -> None:
        super().__init__(data)
        self.needed = needed
        self.labels = dict(chips)
        if chips:
            picking = self.fields["reason_code"]
            assert isinstance(picking, forms.ChoiceField)
            picking.choices = [*chips, ("", OWN_WORDS)]
            # Words are kept when another verdict's form is opened; what is picked speaks of one verdict.
            picking.widget.attrs["data-draft"] = f"reason_code-{verdict}"
            self.fields["reason"].label = gettext("In your own words")
        else:
            del self.fields["reason_code"]
            self.fields["reason"].required = needed

    def clean(self) -> dict[str, Any]:
        """A reason that is asked for is there."""
        given = self.cleaned_data
        if self.needed and not self.errors and not given.get("reason_code") and not given["reason"]:
            self.add_error("reason", gettext("Pick a reason, or write one."))
        return given

    @property
    def picked(self) -> str:
        """The label of what was picked, also where the rest does not hold."""
        code = str(self.data.get("reason_code") or "")
        return self.labels.get(code, "")


class FeedbackForm(ReasonForm):
    """What the agent should do differently."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["reason"].label = gettext("What should change")
        self.fields["reason"].help_text = gettext("The agent reads it and may propose again.")


class EditReasonForm(ReasonForm):
    """Why the arguments change, for whoever wants to say."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["reason"].label = gettext("Why")
        self.fields["reason"].help_text = ""
        # The arguments are what is written here; why they change takes a line.
        self.fields["reason"].widget.attrs |= {"rows": "1", "class": "one-line"}


class MessageForm(VerdictForm):
    """What the agent should know when it takes the run back."""

    message = forms.CharField(
        label=gettext_lazy("Message to the agent"), widget=_text_area("message")
    )


class JsonField(forms.CharField):
    """A value written as JSON; empty is None."""

    def to_python(self, value: Any) -> Any:
        """The value, or an error that says what is no JSON about it."""
        text = super().to_python(value)
        if text is None or not text.strip():
            return None
        try:
            return loads_strict(text)
        except Invalid as error:
            raise forms.ValidationError(
                gettext("This is no JSON: {detail}").format(
                    detail=error.detail.removeprefix(NOT_JSON)
                )
            ) from error


class NumberField(forms.CharField):
    """A number as JSON has it, so that none is endless, not a number, or too large to be told exactly."""

    def to_python(self, value: Any) -> Any:
        """The number, or an error that says what is wrong with it; None where nothing was written."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            number = loads_strict(text)
        except Invalid as error:
            raise forms.ValidationError(
                gettext("Write a number. {detail}").format(detail=error.detail)
            ) from error
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise forms.ValidationError(gettext("Write a number."))
        return number


class HappenedForm(VerdictForm):
    """What the call returned, where that is known."""

    result = JsonField(
        label=gettext_lazy("What it returned"),
        required=False,
        widget=_text_area("result", css="mono-input"),
        help_text=gettext_lazy("As JSON, where you know it; the agent goes on with it."),
    )


class AnswerForm(VerdictForm):
    """The answer to a question, typed as the question says."""

    def __init__(self, question: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.fields["answer"] = _answer_field(question)

    def body(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"answer": self.cleaned_data["answer"]}


def _answer_field(question: Mapping[str, Any]) -> forms.Field:
    attributes = {"form": DECIDE_FORM, "data-draft": "answer"}
    choices = [str(choice) for choice in question.get("choices") or ()]
    match question.get("answer_type"):
        case "yes_no":
            return forms.TypedChoiceField(
                label=gettext("Answer"),
                choices=[("yes", gettext("Yes")), ("no", gettext("No"))],
                coerce=lambda value: value == "yes",
                widget=forms.RadioSelect(attrs=attributes),
            )
        case "number":
            return NumberField(
                label=gettext("Answer"),
                widget=forms.TextInput(attrs=attributes | {"inputmode": "decimal"}),
            )
        case "choice" if choices:
            return forms.ChoiceField(
                label=gettext("Answer"),
                choices=[(choice, reveal(choice)) for choice in choices],
                widget=forms.RadioSelect(attrs=attributes),
            )
    return forms.CharField(
        label=gettext("Answer"), max_length=LONGEST_TEXT, widget=_text_area("answer")
    )


class CapsForm(VerdictForm):
    """How far a run may go on: by how much each cap that it reached is raised, in units for people."""

    def __init__(self, question: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.scales: dict[str, int] = {}
        for name, value in (question.get("caps") or {}).items():
            raising = (question.get("raising") or {}).get(name) or {}
            self.scales[name] = int(raising.get("scale") or 1)
            self.fields[name] = self._field(name, int(value), raising)

    def _field(self, name: str, used: int, raising: Mapping[str, Any]) -> forms.Field:
        scale = self.scales[name]
        most = int(raising.get("most", INTEGER_LIMIT - 1))
        words = gettext(str(raising.get("name") or name.replace("_", " ")))
        unit = str(raising.get("unit") or "")
        usual = min(int(raising.get("usual") or used or 1), most)
        return forms.DecimalField(
            label=_BY_HOW_MUCH.get(unit, _BY_HOW_MUCH[""]).format(
                words=words[:1].upper() + words[1:]
            ),
            min_value=Decimal(1) / scale if scale > 60 else 1,
            max_value=Decimal(most) / scale,
            decimal_places=6 if scale > 60 else 0,
            initial=_plainly(Decimal(usual) / scale if scale > 60 else -(-usual // scale)),
            error_messages={"max_value": _TOO_MUCH if most >= scale else _NO_MORE},
            help_text=_how_far(
                raising.get("used") or used,
                _written(Decimal(most) / scale, unit) if "most" in raising else "",
            ),
            widget=forms.NumberInput(attrs={"form": DECIDE_FORM, "data-draft": name}),
        )

    def body(self) -> dict[str, Any]:
        """`caps` with what is added to each."""
        given = self.cleaned_data.items()
        return {"caps": {name: int(amount * self.scales[name]) for name, amount in given}}


_TOO_MUCH = gettext_lazy(
    "At most %(limit_value)s more: an admin has to allow a run of this agent more than that."
)
_NO_MORE = gettext_lazy(
    "It cannot be raised any further: an admin has to allow runs of this agent more."
)
#: What follows what is raised, by the unit that people say it in.
_BY_HOW_MUCH = Words(
    {
        "minutes": "{words}, by how many minutes more",
        "dollars": "{words}, by how many dollars more",
        "": "{words}, by how much more",
    }
)


def _how_far(used: object, most: str) -> str:
    """What is used up, and how much more there may be where somebody set a limit to that."""
    if not most:
        return gettext("{used} used up.").format(used=used)
    return gettext("{used} used up. At most {scale} more.").format(used=used, scale=most)


def _written(number: Decimal, unit: str) -> str:
    if unit == "dollars":
        return spellings.dollars(number, 2, 6)
    return spellings.number(int(number)) if number == int(number) else _plainly(number)


def _plainly(number: Decimal | int) -> str:
    """A number without an exponent and without zeros at the end of its places."""
    text = f"{number:.6f}" if isinstance(number, Decimal) else str(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


class ChoiceForm(VerdictForm):
    """One of the ways to go on that the request offers."""

    def __init__(
        self, options: Sequence[Mapping[str, Any]], data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data)
        self.fields["choice"] = forms.ChoiceField(
            label=gettext("How to go on"),
            choices=[(str(option["value"]), _way(option)) for option in options],
            widget=forms.RadioSelect(attrs={"form": DECIDE_FORM, "data-draft": "choice"}),
        )
        self.fields["reason"] = _note_field()


class NoteForm(VerdictForm):
    """A word to the agent that goes on, for whoever wants to say one."""

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.fields["reason"] = _note_field()


def _note_field() -> forms.CharField:
    return forms.CharField(
        label=gettext("A note to the agent"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=_text_area("reason", maxlength=str(LONGEST_TEXT)),
        help_text=gettext("The agent reads it, and the audit log keeps it."),
    )


def _way(option: Mapping[str, Any]) -> str:
    """The label of one way to go on, with what it means."""
    label = str(option.get("label", option["value"]))
    means = str(option.get("means") or "")
    if not means:
        return reveal(label)
    return format_html('{} <span class="hint">{}</span>', reveal(label), reveal(means))


class OutputForm(VerdictForm):
    """A corrected final answer, whole, as JSON: used where its schema is not known."""

    output = JsonField(
        label=gettext_lazy("The answer as it should be"),
        widget=_text_area("output", rows=8, css="mono-input"),
    )

    def __init__(self, output: Any, data: Mapping[str, Any] | None = None) -> None:
        written = json.dumps(output, indent=2, ensure_ascii=False)
        super().__init__(data, initial={"output": written})


class ThresholdForm(forms.Form):
    """One threshold and why it changes. `lines` are what it may count for, in groups, to pick from."""

    line = forms.ChoiceField(label=gettext_lazy("Counts for"))
    value = forms.DecimalField(
        label=gettext_lazy("Threshold"),
        min_value=Decimal(0),
        max_value=Decimal(1),
        max_digits=5,
        decimal_places=4,
        localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=gettext_lazy("From 0 to 1. An action below it waits for a person."),
    )
    remove = forms.BooleanField(
        label=gettext_lazy("Take this line out; the next one that fits counts then"), required=False
    )
    why = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=LONGEST_WHY,
        widget=forms.Textarea(attrs={"rows": "2"}),
        help_text=gettext_lazy("Stands in the history and in the audit log."),
    )
    base_version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self,
        *,
        lines: Sequence[tuple[str, Sequence[tuple[str, str]]]],
        data: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.fields["line"] = forms.ChoiceField(label=gettext("Counts for"), choices=lines)

    def clean(self) -> dict[str, Any]:
        """The line that counts where no other does has to be there."""
        if self.cleaned_data.get("remove") and self.cleaned_data.get("line") == DEFAULT_LINE:
            self.add_error(None, gettext("The threshold for everything else cannot be taken out."))
        return self.cleaned_data
