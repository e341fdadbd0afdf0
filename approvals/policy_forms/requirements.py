"""The form of what a request asks of people."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from approvals.addressing import OWNER
from approvals.policy_forms.fields import (
    Choices,
    PartForm,
    counted_in,
    number_field,
)
from approvals.policy_words import FRICTIONS
from approvals.schemas import Requirements
from approvals.vocabulary import Expiry, Friction

MOST_GROUPS: Final = 4
#: Chosen where requirements leave the calendar to the policy.
AS_POLICY: Final = "@policy"


class RequirementsForm(PartForm):
    """Who decides, how, and in what time."""

    exclude_owner = forms.BooleanField(
        label=gettext_lazy("Nobody of the agent's own group counts"), required=False
    )
    editor_may_approve = forms.BooleanField(
        label=gettext_lazy("Whoever changes the arguments may approve them alone"), required=False
    )
    friction = forms.ChoiceField(
        label=gettext_lazy("Besides the verdict, ask for"),
        choices=[
            (Friction.NONE.value, gettext_lazy("Nothing more")),
            *FRICTIONS.choices(),
        ],
    )
    friction_seconds = forms.IntegerField(
        label=gettext_lazy("Seconds"),
        required=False,
        min_value=0,
        max_value=86_400,
        help_text=gettext_lazy(
            "To read at least, or for which a second factor stays good (900 if empty)."
        ),
    )
    review_hours = number_field("Hours to decide", "Empty: as the policy says.", high=2_160)
    calendar = forms.ChoiceField(label=gettext_lazy("Counted in"), required=False)
    extend_limit_hours = forms.IntegerField(
        label=gettext_lazy("Hours that it can be extended by"), min_value=0, max_value=2_160
    )
    on_expiry = forms.ChoiceField(
        label=gettext_lazy("When nobody decides in time"),
        choices=[
            (Expiry.REJECT.value, gettext_lazy("It counts as a no")),
            (Expiry.ESCALATE.value, gettext_lazy("The next group is asked too")),
        ],
    )
    reminder = forms.BooleanField(
        label=gettext_lazy("Remind by e-mail at half of the time"), required=False
    )
    execute_by_minutes = number_field(
        "Minutes in which an approval is used", "Empty: it stays good.", high=129_600
    )
    undo_seconds = number_field(
        "Seconds to take an approval back", "Empty: as the policy says. At most 60.", high=60
    )

    def __init__(self, *args: Any, groups: Choices, calendars: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["calendar"] = forms.ChoiceField(
            label=gettext("Counted in"),
            choices=[
                (AS_POLICY, gettext("As the policy counts them")),
                *counted_in(calendars),
            ],
            required=False,
        )
        offered = [(OWNER, gettext("The agent's owner group")), *groups]
        for place in range(MOST_GROUPS):
            self.fields[f"group_{place}"] = forms.ChoiceField(
                label=gettext("Group"), choices=[("", "–"), *offered], required=False
            )
            self.fields[f"count_{place}"] = forms.IntegerField(
                label=gettext("People"), required=False, min_value=1, max_value=20
            )
            self.fields[f"escalation_{place}"] = forms.ChoiceField(
                label=gettext("Then ask ({place})").format(place=place + 1),
                choices=[("", "–"), *groups],
                required=False,
            )

    def group_rows(self) -> list[tuple[Any, Any]]:
        """Pairs of bound fields: group and number of people."""
        return [(self[f"group_{place}"], self[f"count_{place}"]) for place in range(MOST_GROUPS)]

    def escalation_rows(self) -> list[Any]:
        """Bound fields of the chain, in order."""
        return [self[f"escalation_{place}"] for place in range(MOST_GROUPS)]

    @staticmethod
    def values_of(needs: Requirements) -> dict[str, Any]:
        """Initial values for what a policy says now."""
        values: dict[str, Any] = {
            name: getattr(needs, name)
            for name in (
                "exclude_owner",
                "editor_may_approve",
                "extend_limit_hours",
                "reminder",
                "review_hours",
                "execute_by_minutes",
                "undo_seconds",
            )
        }
        values["calendar"] = AS_POLICY if needs.calendar is None else needs.calendar
        values["friction"] = needs.friction.value
        values["friction_seconds"] = needs.friction_seconds or None
        values["on_expiry"] = needs.on_expiry.value
        for place, need in enumerate(needs.groups[:MOST_GROUPS]):
            values[f"group_{place}"] = need.group
            values[f"count_{place}"] = need.count
        for place, slug in enumerate(needs.escalation[:MOST_GROUPS]):
            values[f"escalation_{place}"] = slug
        return values

    def requirements(self, before: Requirements | None = None) -> dict[str, Any]:
        """As the document keeps them; what the form does not show stays as it was."""
        given = self.cleaned_data
        kept = (before or Requirements()).model_dump(mode="json")
        places = range(MOST_GROUPS)
        return kept | {
            "groups": [
                {"group": given[f"group_{place}"], "count": given[f"count_{place}"] or 1}
                for place in places
                if given[f"group_{place}"]
            ],
            "escalation": [
                given[f"escalation_{place}"] for place in places if given[f"escalation_{place}"]
            ],
            "exclude_owner": given["exclude_owner"],
            "editor_may_approve": given["editor_may_approve"],
            "friction": given["friction"],
            "friction_seconds": given["friction_seconds"] or 0,
            "review_hours": given["review_hours"],
            "calendar": None if given["calendar"] == AS_POLICY else given["calendar"],
            "extend_limit_hours": given["extend_limit_hours"],
            "on_expiry": given["on_expiry"],
            "reminder": given["reminder"],
            "execute_by_minutes": given["execute_by_minutes"],
            "undo_seconds": given["undo_seconds"],
        }
