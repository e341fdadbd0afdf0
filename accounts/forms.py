"""What people type on the people and settings pages."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms

from accounts.models import ReviewGroup, User
from accounts.services.create_token import NAME_LENGTH, scopes_of
from accounts.vocabulary import ROLES, SCOPES

if TYPE_CHECKING:
    from collections.abc import Collection

SCOPE_LABELS: Final = {
    "read": "Read: what the account may see",
    "run": "Run: start, cancel, pause and resume runs",
    "decide": "Decide: approve, edit, reject",
    "audit": "Audit: read and export the log",
    "admin": "Admin: people, agents, policies",
}
LIFETIMES: Final = {
    "30": "30 days",
    "90": "90 days",
    "365": "A year",
    "endless": "Until it is revoked",
}


def role_choices() -> list[tuple[str, str]]:
    return [(role.name, f"{role.title}: {role.summary}") for role in ROLES.values()]


def group_choices() -> list[tuple[str, str]]:
    return [(group.slug, group.title) for group in ReviewGroup.objects.all()]


class AccessForm(forms.Form):
    """Roles and review groups of a person; what is not ticked is taken away."""

    roles = forms.MultipleChoiceField(
        choices=role_choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    groups = forms.MultipleChoiceField(
        choices=group_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Review groups",
    )


class PersonForm(AccessForm):
    """A new person."""

    field_order = ("username", "display_name", "email", "roles", "groups")

    username = forms.CharField(
        max_length=150,
        label="User name",
        help_text="Letters, digits and @ . + - _ only. It cannot be changed later.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    display_name = forms.CharField(max_length=120, required=False, label="Name shown to others")
    email = forms.EmailField(
        required=False, label="E-mail", help_text="For a forgotten password and for notices."
    )

    def take(self, errors: dict[str, list[str]]) -> None:
        """Show what the service found wrong beside the fields it is about."""
        for field, sentences in errors.items():
            for sentence in sentences:
                self.add_error(field if field in self.fields else None, sentence)


class GroupForm(forms.Form):
    """A new review group."""

    title = forms.CharField(max_length=80)
    slug = forms.SlugField(
        max_length=50,
        label="Short name",
        help_text="What policies call the group: lower-case letters, digits and hyphens.",
    )
    email = forms.EmailField(
        required=False, label="E-mail", help_text="Where the group is told of new requests."
    )


class TokenForm(forms.Form):
    """A new token of the person's own."""

    name = forms.CharField(
        max_length=NAME_LENGTH,
        label="What is it for?",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    lifetime = forms.ChoiceField(choices=list(LIFETIMES.items()), label="Good for", initial="90")
    scopes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        possible: Collection[str] = scopes_of(person)
        offered = [scope for scope in SCOPES if scope in possible]
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(scope, SCOPE_LABELS[scope]) for scope in offered]
        field.initial = offered

    @property
    def chosen_lifetime(self) -> timedelta | None:
        days: str = self.cleaned_data["lifetime"]
        return timedelta(days=int(days)) if days.isdigit() else None
