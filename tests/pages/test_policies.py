"""Policies: who reads them, how an admin changes a threshold, and what the page says of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from approvals import ports
from approvals.models import PolicyVersion
from approvals.policies import Policy, Rule, When, default_policy
from approvals.policy_diff import changes
from approvals.schemas import GroupNeed, Requirements
from approvals.services.policies import current
from approvals.services.publish import publish
from approvals.tightening import ToolFacts
from approvals.vocabulary import Effect, Risk
from audit.actors import Actor

URL = "/policies/"
TOOLS = tuple(
    ToolFacts(
        agent,
        tool,
        Risk.HIGH,
        frozenset({Effect.MONEY}),
        reversible=True,
        title=agent.replace("-", " ").capitalize(),
    )
    for agent, tool in (
        ("refund-desk", "issue_refund"),
        ("refund-desk", "send_email"),
        ("data-steward", "erase_record"),
    )
)


@pytest.fixture(autouse=True)
def known_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agents that the form offers."""
    monkeypatch.setattr(type(ports.runs()), "catalogue", lambda _self: TOOLS)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def change(client: Client, **fields: object) -> Any:
    """Post the form of one threshold."""
    body = {"line": "risk=low", "value": "0.85", "why": "Too many slips."}
    return client.post(URL, body | {"base_version": current().version} | fields)


def changed(client: Client, **fields: object) -> Policy:
    """Change one threshold, publish the draft alone, and give what is in force then."""
    answer = change(client, **fields)
    assert answer.status_code == 302, text_of(answer)
    url = answer["Location"]
    answer = client.post(f"{url}publish/", {"edition": client.get(url).context["draft"].edition})
    assert answer["Location"] == URL, text_of(answer)
    return current().policy


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_a_visitor_is_sent_to_sign_in(db: None) -> None:
    current()
    for url in (URL, reverse("policy-version", kwargs={"number": 1})):
        assert Client().get(url).status_code == 302


def test_policies_are_closed_to_who_neither_decides_nor_publishes_nor_audits(
    outsider: User, operator: User
) -> None:
    for person in (outsider, operator):
        client = signed_in(person)
        assert client.get(URL).status_code == 403
        assert client.get(reverse("policy-version", kwargs={"number": 1})).status_code == 403
        assert change(client).status_code == 403


@pytest.mark.parametrize("who", ["reviewer", "auditor"])
def test_who_reads_policies_may_not_publish_them(request: pytest.FixtureRequest, who: str) -> None:
    client = signed_in(request.getfixturevalue(who))
    page = text_of(client.get(f"{URL}?line=risk%3Dlow"))
    assert "Where no rule speaks" in page
    assert 'name="why"' not in page
    assert change(client).status_code == 403
    assert current().version == 1


def test_an_admin_changes_a_threshold_and_the_history_says_who_and_why(admin: User) -> None:
    client = signed_in(admin)
    form = text_of(client.get(f"{URL}?line=risk%3Dlow"))
    assert 'value="0.80"' in form
    answer = change(client)
    draft = PolicyVersion.objects.get(state="draft")
    assert answer["Location"] == f"/policies/drafts/{draft.pk}/"
    page = text_of(client.get(answer["Location"]))
    assert "Low risk: from 0.80 to 0.85." in page
    assert "It only tightens" in page
    assert current().version == 1
    answer = client.post(f"/policies/drafts/{draft.pk}/publish/", {"edition": draft.edition})
    assert (answer.status_code, answer["Location"]) == (302, URL)
    assert current().policy.thresholds.risks[Risk.LOW] == Decimal("0.85")
    page = text_of(client.get(URL))
    assert "Low risk: from 0.80 to 0.85." in page
    assert "Too many slips." in page
    row = PolicyVersion.objects.published().newest_first()[0]
    assert (row.number, row.published_by, row.why) == (2, admin, "Too many slips.")


def test_a_line_for_one_tool_of_one_agent_is_added_and_taken_out_again(admin: User) -> None:
    client = signed_in(admin)
    line = "agent=refund-desk&tool=issue_refund"
    added = changed(client, line=line, value="0.95").thresholds.agent_tools
    assert added == {"refund-desk": {"issue_refund": Decimal("0.95")}}
    assert 'value="0.95"' in text_of(client.get(URL, {"line": line}))
    assert changed(client, line=line, value="0.95", remove="on").thresholds.agent_tools == {}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": "1.2"}, "less than or equal to 1"),
        ({"value": "-0.1"}, "greater than or equal to 0"),
        ({"value": "a lot"}, "Enter a number"),
        ({"value": "NaN"}, "Enter a number"),
        ({"value": ""}, "This field is required"),
        ({"why": "  "}, "This field is required"),
        ({"line": ""}, "This field is required"),
        ({"line": "tool=no_such_tool"}, "is not one of the available choices"),
        ({"line": "default", "remove": "on"}, "cannot be taken out"),
        ({"value": "0.80"}, "This is what version 1 says already"),
        ({"base_version": "77"}, "There is no policy version 77"),
    ],
)
def test_what_cannot_be_published_is_said_and_changes_nothing(
    admin: User, fields: dict[str, object], said: str
) -> None:
    answer = change(signed_in(admin), **fields)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert current().version == 1


def test_who_began_from_an_older_version_is_told_what_was_published_and_goes_on_from_there(
    admin: User, second_admin: User
) -> None:
    base = current().version
    changed(signed_in(second_admin), line="risk=high", value="0.95", why="Reviewers are idle.")
    client = signed_in(admin)
    answer = change(client, base_version=base)
    assert answer.status_code == 409
    page = text_of(answer)
    for part in (
        f"{second_admin.get_full_name()} published version 2",
        "Reviewers are idle.",
        "High risk: from 0.90 to 0.95.",
        "Too many slips.",
        'value="0.85"',
    ):
        assert part in page
    assert current().version == 2
    again = answer.context["form"]["base_version"].value()
    risks = changed(client, base_version=again).thresholds.risks
    assert (risks[Risk.HIGH], risks[Risk.LOW]) == (Decimal("0.95"), Decimal("0.85"))


def test_a_form_without_its_version_publishes_nothing_and_says_so(admin: User) -> None:
    answer = change(signed_in(admin), base_version="")
    assert answer.status_code == 422
    assert "The form was not whole" in text_of(answer)
    assert current().version == 1


def test_what_is_wrong_stands_at_its_field(admin: User) -> None:
    page = change(signed_in(admin), value="0.80").content.decode()
    assert 'id="id_value_error"' in page
    assert 'aria-invalid="true"' in page


def test_a_line_that_names_a_tool_that_is_gone_can_still_be_taken_out(admin: User) -> None:
    policy = current().policy.with_threshold("0.99", tool="gone_tool")
    publish(document=policy, base_version=1, caller=Actor.system("test"), why="For this test.")
    client = signed_in(admin)
    assert changed(client, line="tool=gone_tool", remove="on").thresholds.tools == {}


def test_rules_and_baseline_stand_in_plain_words(
    admin: User, reviewer: User, second_reviewer: User
) -> None:
    published = current()
    rules = (
        Rule(
            name="small",
            title="Small refunds",
            when=When(
                agents=("refund-desk",), tools=("issue_refund",), condition="args.amount <= 50"
            ),
            effect="allow",
            threshold=Decimal("0.8"),
            accepts_taint=True,
        ),
        Rule(
            name="large",
            title="Large refunds",
            when=When(effects=(Effect.MONEY,), risk_at_least=Risk.HIGH),
            effect="review",
            requirements=Requirements(groups=(GroupNeed(group="finance", count=2),)),
        ),
        Rule(name="never", title="No erasing", when=When(tools=("erase",)), effect="deny"),
    )
    policy = published.policy.model_copy(update={"rules": rules})
    publish(document=policy, base_version=1, caller=Actor.system("test"), why="For this test.")
    page = text_of(signed_in(admin).get(URL))
    assert (
        "When Refund desk calls Issue refund with <code>args.amount &lt;= 50</code>: runs by itself at "
        "a confidence of 0.80 or more, also after reading text from outside." in page
    )
    assert (
        "When any agent calls any tool that moves money of high risk or above: waits for two "
        "of Finance." in page
    )
    assert "When any agent calls Erase: never runs." in page
    assert "Critical risk" in page
    assert "Waits for two of the agent&#x27;s owner group" in page


def test_an_older_version_stays_readable_with_what_it_changed(admin: User) -> None:
    client = signed_in(admin)
    changed(client)
    changed(client, value="0.75", why="Too strict.")
    page = text_of(client.get(reverse("policy-version", kwargs={"number": 2})))
    assert "Replaced" in page
    assert "Low risk: from 0.80 to 0.85." in page
    assert client.get(reverse("policy-version", kwargs={"number": 99})).status_code == 404


def test_changes_name_every_part_that_differs() -> None:
    before = default_policy()
    rule = Rule(name="new", title="A new rule", effect="deny", when=When(tools=("x",)))
    after = before.model_copy(
        update={"rules": (rule,), "undo_seconds": 0, "baseline": before.baseline[1:]}
    ).with_threshold("0.5", tool="x")
    assert changes(before, after) == [
        "X, whichever agent: 0.50 is new.",
        "New rule: A new rule.",
        "Baseline, low risk: this line is taken out.",
        "Seconds to take an approval back: from 10 to 0.",
    ]
    assert changes(before, before) == []


def test_an_admin_changes_the_threshold_of_a_rule_that_allows(admin: User) -> None:
    published = current()
    rule = Rule(
        name="small-refunds",
        title="Small refunds",
        effect="allow",
        threshold=Decimal("0.80"),
        when=When(tools=("issue_refund",)),
    )
    policy = published.policy.model_copy(update={"rules": (rule,)})
    publish(
        document=policy, base_version=published.version, caller=Actor.system("test"), why="Begin."
    )
    client = signed_in(admin)
    assert "Change its threshold" in text_of(client.get(URL))
    assert "Small refunds" in text_of(client.get(f"{URL}?line=rule%3Dsmall-refunds"))
    policy = changed(client, line="rule=small-refunds", value="0.95")
    assert policy.rules[0].threshold == Decimal("0.95")
    assert "Rule “Small refunds”: threshold from 0.80 to 0.95." in text_of(client.get(URL))


def test_a_reviewer_reads_rules_without_a_way_to_change_them(reviewer: User) -> None:
    current()
    assert "Change its threshold" not in text_of(signed_in(reviewer).get(URL))
