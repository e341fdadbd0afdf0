"""What people type on the people and settings pages."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from accounts.models import ReviewGroup, User
from accounts.services.create_token import NAME_LENGTH, scopes_of
from accounts.vocabulary import ROLES, SCOPES
from audit.wordings import Words

if TYPE_CHECKING:
    from collections.abc import Collection

SCOPE_LABELS: Final = Words(
    {
        "read": "Read: what the account may see",
        "run": "Run: start, cancel, pause and resume runs",
        "decide": "Decide: approve, edit, reject",
        "audit": "Audit: read and export the log",
        "admin": "Admin: people, agents, policies",
    }
)
LIFETIMES: Final = Words(
    {
        "30": "30 days",
        "90": "90 days",
        "365": "A year",
        "endless": "Until it is revoked",
    }
)


def role_choices() -> list[tuple[str, str]]:
    return [
        (role.name, f"{gettext(role.title)}: {gettext(role.summary)}") for role in ROLES.values()
    ]


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
        label=gettext_lazy("Review groups"),
    )


class PersonForm(AccessForm):
    """A new person."""

    field_order = ("username", "display_name", "email", "roles", "groups")

    username = forms.CharField(
        max_length=150,
        label=gettext_lazy("User name"),
        help_text=gettext_lazy("Letters, digits and @ . + - _ only. It cannot be changed later."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    display_name = forms.CharField(
        max_length=120, required=False, label=gettext_lazy("Name shown to others")
    )
    email = forms.EmailField(
        required=False,
        label=gettext_lazy("E-mail"),
        help_text=gettext_lazy("For a forgotten password and for notices."),
    )

    def take(self, errors: dict[str, list[str]]) -> None:
        """Show what the service found wrong beside the fields it is about."""
        for field, sentences in errors.items():
            for sentence in sentences:
                self.add_error(field if field in self.fields else None, sentence)


class GroupForm(forms.Form):
    """A new review group."""

    title = forms.CharField(max_length=80, label=gettext_lazy("Title"))
    slug = forms.SlugField(
        max_length=50,
        label=gettext_lazy("Short name"),
        help_text=gettext_lazy(
            "What policies call the group: lower-case letters, digits and hyphens."
        ),
    )
    email = forms.EmailField(
        required=False,
        label=gettext_lazy("E-mail"),
        help_text=gettext_lazy("Where the group is told of new requests."),
    )


class TokenForm(forms.Form):
    """A new token of the person's own."""

    name = forms.CharField(
        max_length=NAME_LENGTH,
        label=gettext_lazy("What is it for?"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    lifetime = forms.ChoiceField(
        choices=LIFETIMES.choices(), label=gettext_lazy("Good for"), initial="90"
    )
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
