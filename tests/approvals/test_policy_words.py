"""Time to decide and what things are called, in words."""

from __future__ import annotations

import pytest
from django import forms
from django.utils.translation import override

from approvals.policies import Policy, Rule, When
from approvals.policy_diff import changes
from approvals.policy_forms.baseline import BaselineForm
from approvals.policy_forms.rule import RuleForm
from approvals.policy_forms.whole import DurationsForm, ScoreForm
from approvals.policy_words import Names, requirements_sentence, threshold_lines, when_sentence
from approvals.schemas import GroupNeed, Requirements
from approvals.vocabulary import Expiry


@pytest.mark.parametrize(
    ("hours", "calendar", "said"),
    [
        (None, None, "one of the agent's owner group"),
        (4, None, "one of the agent's owner group, within 4 hours"),
        (
            1,
            "office",
            "one of the agent's owner group, within 1 hour of the calendar “office”",
        ),
        (24, "", "one of the agent's owner group, within 24 hours around the clock"),
        (
            None,
            "office",
            "one of the agent's owner group, within the usual hours of the calendar “office”",
        ),
    ],
)
def test_requirements_say_how_long_people_have(
    hours: float | None, calendar: str | None, said: str
) -> None:
    assert requirements_sentence(Requirements(review_hours=hours, calendar=calendar)) == said


def test_another_calendar_is_a_change_that_is_said() -> None:
    said = changes(Policy(), Policy(calendar="office"))
    assert said == ["Calendar of these hours: from none (around the clock) to office."]


def test_agents_tools_groups_and_calendars_are_called_by_their_names() -> None:
    called = Names(
        agents={"refund-desk": "Refund desk"},
        groups={"finance": "Finance", "support": "Support"},
        calendars={"office-hours": "Office hours"},
    )
    rule = Rule(
        name="large",
        title="Large",
        effect="review",
        scope="group:finance",
        when=When(agents=("refund-desk", "gone"), tools=("issue_refund",)),
        requirements=Requirements(
            groups=(GroupNeed(group="finance", count=2),),
            escalation=("support", "finance"),
            on_expiry=Expiry.ESCALATE,
            calendar="office-hours",
        ),
    )
    plain = rule.model_copy(
        update={"scope": "global", "when": When(), "requirements": Requirements()}
    )
    before = Policy(rules=(plain,))
    after = Policy(rules=(rule,), calendar="office-hours", delegates=("finance",)).with_threshold(
        "0.7", agent="refund-desk", tool="issue_refund"
    )
    assert when_sentence(rule.when, called) == "Refund desk or gone calls Issue refund"
    assert threshold_lines(after.thresholds, called)[0].about == "Issue refund by Refund desk"
    assert requirements_sentence(rule.requirements or Requirements(), called).endswith(
        "is shown to Support and then to Finance too when nobody decides in time, "
        "within the usual hours of the calendar “Office hours”"
    )
    line, changed, *plainly = changes(before, after, called)
    assert line == "Issue refund by Refund desk: 0.70 is new."
    for part in (
        "belongs to from the whole policy to Finance",
        "agents from not set to Refund desk and gone",
        "tools from not set to Issue refund",
        "who decides from 1 of the agent's owner group to 2 of Finance",
        "groups asked next from not set to Support",
        "calendar of the hours from not set to Office hours",
    ):
        assert part in changed
    assert plainly == [
        "Calendar of these hours: from none (around the clock) to Office hours.",
        "Groups that may allow by rules of their own: from none to Finance.",
    ]


@pytest.mark.parametrize(
    ("language", "some"),
    [
        (
            "en",
            {
                "Moves money",
                "Whether or not",
                "The model's own word",
                "High or above",
                "Desk",
                "Old desk, not installed",
            },
        ),
        (
            "de",
            {"Bewegt Geld", "Gleich ob", "Das eigene Wort des Modells", "Hoch oder höher", "Desk"},
        ),
    ],
)
def test_whatever_is_chosen_in_a_policys_forms_begins_as_a_line_does(
    language: str, some: set[str]
) -> None:
    with override(language):
        asked, before = {"groups": [], "calendars": []}, {"agents": ["desk", "old-desk"]}
        made: list[forms.Form] = [
            RuleForm(**asked, initial=before, scopes=[], agents=[("desk", "Desk")], tools=[]),
            BaselineForm(**asked),
            DurationsForm(**asked),
            ScoreForm(lines=[]),
        ]
        offered = {
            str(words)
            for form in made
            for field in form.fields.values()
            if isinstance(field, forms.ChoiceField)
            for _, words in field.choices
        }
    assert some <= offered
    assert not {words for words in offered if words[:1] != words[:1].upper()}
