"""Fields of forms are written as Django's own templates write them."""

from __future__ import annotations

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates, get_default_renderer
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from countersign.form_rendering import FormRenderer

ODD = "<b> & \"two\" 'quotes'"
ATTRS = {"class": "input", "required": True, "hidden": False, "data-odd": ODD, "maxlength": 7}
CHOICES = [
    ("", "–"),
    (ODD, ODD),
    (1, gettext_lazy("Inbox")),
    ("group & co", [("a", SafeString("<i>a</i>")), ("b", "b")]),
]
FIELDS = [
    forms.CharField(),
    forms.CharField(widget=forms.Textarea),
    forms.CharField(widget=forms.PasswordInput),
    forms.CharField(widget=forms.HiddenInput),
    forms.BooleanField(),
    forms.DateField(),
    forms.DateTimeField(),
    forms.DecimalField(decimal_places=2, min_value=0),
    forms.EmailField(),
    forms.URLField(assume_scheme="https"),
    forms.ChoiceField(choices=CHOICES),
    forms.MultipleChoiceField(choices=CHOICES),
    forms.MultipleChoiceField(choices=CHOICES, widget=forms.CheckboxSelectMultiple),
    forms.NullBooleanField(),
]


def test_forms_are_written_by_it() -> None:
    assert isinstance(get_default_renderer(), FormRenderer)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field.widget).__name__)
@pytest.mark.parametrize("value", [None, "", ODD, "1", True, ("a", "1"), "\ntwo\nlines"])
def test_a_field_is_what_django_writes(field: forms.Field, value: object) -> None:
    for attrs in ({}, ATTRS):
        mine, theirs = (
            field.widget.render("a name", value, attrs, renderer)
            for renderer in (FormRenderer(), DjangoTemplates())
        )
        assert mine == theirs
        assert isinstance(mine, SafeString)
