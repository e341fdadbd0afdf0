"""What people type on the page of their keys. The service checks what it means."""

from collections.abc import Iterator
from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from accounts.keymap import ACTIONS, GROUPS, KeyMap

LONGEST: Final = 12


class KeysForm(forms.Form):
    """Whether single keys work, and the key of each action; empty for none."""

    working = forms.BooleanField(
        required=False,
        label=gettext_lazy("Single keys work on my pages"),
        help_text=gettext_lazy(
            "Without them everything is reached with Tab, Enter and the mouse, as before."
        ),
    )

    def __init__(self, data: Any, *, keymap: KeyMap) -> None:
        super().__init__(data, initial={"working": not keymap.off, **keymap.keys})
        for action in ACTIONS.values():
            self.fields[action.name] = forms.CharField(
                required=False,
                max_length=LONGEST,
                label=gettext(action.title),
                widget=forms.TextInput(
                    attrs={
                        "autocomplete": "off",
                        "autocapitalize": "none",
                        "spellcheck": "false",
                        "class": "key-input",
                    }
                ),
            )

    @property
    def groups(self) -> Iterator[tuple[str, list[tuple[forms.BoundField, str]]]]:
        """The fields of the actions with their keys by default, group by group."""
        for group, title in GROUPS.items():
            its = [action for action in ACTIONS.values() if action.group == group]
            yield title, [(self[action.name], action.key) for action in its]

    @property
    def chosen(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ACTIONS}
