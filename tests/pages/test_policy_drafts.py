"""A draft from its first line to what is in force, on pages that need no JavaScript."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import ReviewGroup, User
from approvals import ports
from approvals.models import PolicyVersion
from approvals.policies import Policy, load
from approvals.services.policies import current
from approvals.tightening import ToolFacts
from approvals.vocabulary import Effect, Friction, Risk
from tests.pages.test_policies import signed_in, text_of

TOOLS = (
    ToolFacts(
        "refund-desk",
        "issue_refund",
        Risk.HIGH,
        frozenset({Effect.MONEY}),
        reversible=False,
        owner_group="support",
        title="Refund desk",
    ),
)


@pytest.fixture(autouse=True)
def known_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ports.runs()), "catalogue", lambda _self: TOOLS)


@pytest.fixture
def people(reviewer: User, second_reviewer: User, admin: User, second_admin: User) -> None:
    """Everybody whom the policies here ask for."""


def begun(client: Client) -> str:
    """The address of a new draft."""
    answer = client.post("/policies/drafts/")
    assert answer.status_code == 302
    return str(answer["Location"])


def draft_at(url: str) -> PolicyVersion:
    return PolicyVersion.objects.get(pk=int(url.rstrip("/").rpartition("/")[2]))


def policy_at(url: str) -> Policy:
    return load(draft_at(url).document)


def rule_fields(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Refunds over €1,000",
        "name": "very-large",
        "scope": "global",
        "effect": "review",
        "agents": "refund-desk",
        "tools": "issue_refund",
        "condition": "args.amount > 1000",
        "friction": "none",
        "extend_limit_hours": "72",
        "on_expiry": "reject",
        "group_0": "finance",
        "count_0": "2",
        "group_1": "@owner",
        "count_1": "1",
    } | changes


def test_a_rule_is_written_changed_and_taken_out_again(people: None, admin: User) -> None:
    client = signed_in(admin)
    url = begun(client)
    fields = rule_fields(
        edition=1, friction="second_factor", friction_seconds="600", days=["0", "4"], start="22:00"
    )
    answer = client.post(f"{url}rules/", fields)
    assert answer["Location"] == url, text_of(answer)
    (rule,) = policy_at(url).rules
    assert rule.when.condition == "args.amount > 1000"
    assert rule.when.time_window is not None
    assert rule.when.time_window.days == (0, 4)
    assert rule.requirements is not None
    assert (rule.requirements.friction, rule.requirements.friction_seconds) == (
        Friction.SECOND_FACTOR,
        600,
    )
    assert {need.group: need.count for need in rule.requirements.groups} == {
        "finance": 2,
        "@owner": 1,
    }
    page = text_of(client.get(url))
    assert "New rule: Refunds over €1,000." in page
    page = client.get(f"{url}rules/very-large/")
    assert "args.amount &gt; 1000" in text_of(page)
    picked = page.content.decode().partition("Agents</legend>")[2].partition("</fieldset>")[0]
    assert "checked" in picked
    assert "Refund desk</label>" in picked
    answer = client.post(
        f"{url}rules/very-large/", rule_fields(edition=2, condition="args.amount > 2000")
    )
    assert answer["Location"] == url, text_of(answer)
    assert policy_at(url).rules[0].when.condition == "args.amount > 2000"
    assert policy_at(url).rules[0].when.time_window is None
    client.post(f"{url}rules/very-large/", {"remove": "1", "edition": 3})
    assert policy_at(url).rules == ()


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"condition": "args.amount >"}, "condition", "Syntax error"),
        ({"condition": "amount > 5"}, "condition", "Only args is known"),
        ({"effect": "allow", "threshold": "80"}, "threshold", "between 0 and 1"),
        ({"group_0": "", "group_1": ""}, "group_0", "name at least one group"),
        ({"group_1": "finance"}, "group_0", "a group stands twice"),
        ({"timezone": "Moon/Base"}, "timezone", "no time zone Moon/Base"),
        ({"name": "Very Large"}, "name", "valid"),
        ({"title": ""}, "title", "required"),
        ({"rate_above": "-1"}, "rate_above", "greater than or equal to 0"),
        ({"undo_seconds": "90"}, "undo_seconds", "less than or equal to 60"),
        ({"count_0": "21"}, "count_0", "less than or equal to 20"),
    ],
)
def test_what_is_wrong_with_a_rule_stands_at_its_field_and_nothing_is_kept(
    people: None, admin: User, changes: dict[str, Any], field: str, said: str
) -> None:
    client = signed_in(admin)
    url = begun(client)
    answer = client.post(f"{url}rules/", rule_fields(edition=1, **changes))
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert any(said in error for error in errors[field]), errors
    assert policy_at(url).rules == ()
    assert f'id="id_{field}_error"' in answer.content.decode()


def test_a_line_of_the_baseline_is_changed(people: None, admin: User) -> None:
    client = signed_in(admin)
    url = begun(client)
    before = policy_at(url).baseline
    form = client.get(f"{url}baseline/2/").context["form"]
    fields = {
        name: value for name, value in form.initial.items() if value not in (None, False, [], "")
    }
    answer = client.post(f"{url}baseline/2/", fields | {"edition": 1, "count_0": "2"})
    assert answer["Location"] == url, text_of(answer)
    after = policy_at(url).baseline
    assert after[1].requirements.groups[0].count == 2
    assert (after[0], after[2:]) == (before[0], before[2:])
    assert "who decides from 1 of the agent" in text_of(client.get(url))
    assert client.get(f"{url}baseline/9/").status_code == 404


def test_durations_and_delegation_are_changed(
    people: None, admin: User, finance: ReviewGroup
) -> None:
    client = signed_in(admin)
    url = begun(client)
    fields = {
        "edition": 1,
        "undo_seconds": "30",
        "review_hours": "8",
        "calendar": "",
        "sticky_hours": "0",
        "delegates": ["finance"],
    }
    assert client.post(f"{url}durations/", fields)["Location"] == url
    policy = policy_at(url)
    assert (policy.undo_seconds, policy.review_hours, policy.delegates) == (30, 8, ("finance",))
    assert (policy.calendar, policy.sticky_hours) == ("", 0)
    answer = client.post(f"{url}durations/", fields | {"edition": 2, "undo_seconds": "61"})
    assert answer.status_code == 422
    assert "less than or equal to 60" in text_of(answer)


def test_submitted_by_one_and_published_by_another(
    people: None, admin: User, second_admin: User
) -> None:
    writer, publisher = signed_in(admin), signed_in(second_admin)
    url = begun(writer)
    writer.post(url, {"line": "risk=high", "value": "0.50", "base_version": 1, "why": "Idle."})
    page = text_of(writer.get(url))
    assert "A threshold is lower." in page
    assert "Publish alone" not in page
    answer = writer.post(f"{url}publish/", {"edition": 2, "why": "Idle."})
    assert answer.status_code == 403
    answer = writer.post(f"{url}submit/", {"edition": 2, "why": "Reviewers are idle."})
    assert answer.status_code == 302
    assert "somebody else has to publish it" in text_of(writer.get(url))
    assert "Submitted" in text_of(publisher.get("/policies/"))
    assert "Somebody else wrote it." in text_of(publisher.get(url))
    answer = publisher.post(f"{url}publish/", {"edition": 2, "why": "Reviewers are idle."})
    assert answer["Location"] == "/policies/", text_of(answer)
    assert current().policy.thresholds.risks[Risk.HIGH] == Decimal("0.50")
    history = text_of(writer.get("/policies/"))
    assert f"{second_admin}" in history
    assert f"written by {admin}" in history


def test_a_version_comes_back_from_its_page(people: None, admin: User, second_admin: User) -> None:
    writer, publisher = signed_in(admin), signed_in(second_admin)
    url = begun(writer)
    writer.post(url, {"line": "risk=high", "value": "0.50", "base_version": 1, "why": "Idle."})
    writer.post(f"{url}submit/", {"edition": 2})
    publisher.post(f"{url}publish/", {"edition": 2})
    answer = writer.post("/policies/1/roll-back/", {"why": "Too many slips."})
    assert answer["Location"] == "/policies/"
    assert current().version == 3
    assert "Brings back version 1" in text_of(writer.get("/policies/"))
    answer = writer.post("/policies/2/roll-back/", {"why": "Not so bad."})
    assert answer["Location"].startswith("/policies/drafts/")
    assert current().version == 3


def test_who_published_meanwhile_is_said_and_the_draft_goes_on_top(
    people: None, admin: User, second_admin: User
) -> None:
    first, second = signed_in(admin), signed_in(second_admin)
    mine, theirs = begun(first), begun(second)
    first.post(mine, {"line": "risk=low", "value": "0.90", "base_version": 1, "why": "Mine."})
    second.post(theirs, {"line": "risk=high", "value": "0.95", "base_version": 1, "why": "Theirs."})
    second.post(f"{theirs}publish/", {"edition": 2})
    page = text_of(first.get(mine))
    assert f"{second_admin} published version 2 after this draft was begun." in page
    assert "High risk: from 0.90 to 0.95." in page
    answer = first.post(f"{mine}publish/", {"edition": 2})
    assert answer.status_code == 409
    assert first.post(f"{mine}rebase/", {"edition": 2})["Location"] == mine
    assert first.post(f"{mine}publish/", {"edition": 3})["Location"] == "/policies/"
    risks = current().policy.thresholds.risks
    assert (risks[Risk.LOW], risks[Risk.HIGH]) == (Decimal("0.90"), Decimal("0.95"))


def test_a_whole_policy_goes_out_and_comes_in_as_json(people: None, admin: User) -> None:
    client = signed_in(admin)
    current()
    file = client.get("/policies/1/document.json")
    assert file["Content-Disposition"] == 'attachment; filename="policy-1.json"'
    document = json.loads(file.content)
    assert load(document) == current().policy
    document["thresholds"]["default"] = "0.85"
    answer = client.post(
        "/policies/import/", {"document": json.dumps(document), "why": "From staging."}
    )
    assert answer.status_code == 302, text_of(answer)
    assert policy_at(answer["Location"]).thresholds.default == Decimal("0.85")
    assert client.get(f"{answer['Location']}document.json").status_code == 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "in braces"),
        ('{"thresholds": {"default": 2}}', "thresholds.default: a threshold lies between 0 and 1"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"undo_seconds": NaN}', "NaN"),
        ('{"rules": [{"name": "a", "title": "a\\u0000b"}]}', "NUL"),
    ],
)
def test_an_import_that_is_no_policy_is_refused_at_its_field(
    admin: User, text: str, said: str
) -> None:
    answer = signed_in(admin).post("/policies/import/", {"document": text, "why": "x"})
    assert answer.status_code == 422
    assert any(said in error for error in answer.context["form"].errors["document"]), (
        answer.context["form"].errors
    )
    assert not PolicyVersion.objects.filter(state="draft").exists()


def test_an_owner_group_writes_its_own_rules_and_sees_no_other_form(
    people: None, admin: User, reviewer: User
) -> None:
    client = signed_in(reviewer)
    url = begun(client)
    page = text_of(client.get(url))
    assert "Add a rule" in page
    assert "Add a line" not in page
    assert "Times and delegation" not in page
    form = client.get(f"{url}rules/").context["form"]
    assert [value for value, _ in form.fields["scope"].choices] == ["group:support"]
    fields = rule_fields(edition=1, scope="group:support", count_0="1")
    assert client.post(f"{url}rules/", fields)["Location"] == url
    answer = client.post(url, {"line": "default", "value": "0.9", "base_version": 2, "why": "x"})
    assert answer.status_code == 403
    other = begun(signed_in(admin))
    assert client.get(other).status_code == 404
    assert client.post(f"{other}submit/", {"edition": 1, "why": "x"}).status_code == 404


def test_who_reads_everything_sees_drafts_and_changes_none(admin: User, auditor: User) -> None:
    url = begun(signed_in(admin))
    client = signed_in(auditor)
    page = text_of(client.get(url))
    assert "Submit" not in page
    assert client.post(f"{url}submit/", {"edition": 1, "why": "x"}).status_code == 403
    assert client.get(f"{url}rules/").status_code == 404


def test_one_action_is_tried_on_a_draft(people: None, admin: User) -> None:
    client = signed_in(admin)
    url = begun(client)
    client.post(f"{url}rules/", rule_fields(edition=1))
    assert client.get(f"{url}try/").status_code == 200
    answer = client.post(f"{url}try/", {"call": "refund-desk/issue_refund", "arguments": "[1]"})
    assert answer.status_code == 422
    assert "in braces" in text_of(answer)


def test_which_score_decides_is_written_a_line_at_a_time(people: None, admin: User) -> None:
    client = signed_in(admin)
    url = begun(client)
    line = "agent=refund-desk&tool=issue_refund"
    fields = {
        "edition": 1,
        "line": line,
        "source": "agreement",
        "samples": "4",
        "also": ["verifier"],
    }
    assert client.post(f"{url}scores/", fields)["Location"] == f"{url}scores/"
    choice = policy_at(url).scores.resolve(agent="refund-desk", tool="issue_refund")
    assert (choice.source, choice.replies, choice.also) == ("agreement", 4, ("verifier",))
    assert "agreement over 4 replies decides" in text_of(client.get(f"{url}scores/"))
    answer = client.post(f"{url}scores/", fields | {"edition": 2, "also": ["agreement"]})
    assert answer.status_code == 422
    assert any(
        "decides already" in error
        for errors in answer.context["form"].errors.values()
        for error in errors
    )
    client.post(f"{url}scores/", fields | {"edition": 2, "remove": "1"})
    assert policy_at(url).scores == current().policy.scores


def test_only_an_admin_says_which_score_decides(people: None, reviewer: User, admin: User) -> None:
    own = begun(signed_in(reviewer))
    assert signed_in(reviewer).get(f"{own}scores/").status_code == 403
