"""Who could approve on a day, rebuilt from the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.services.create_group import create_group
from accounts.services.create_person import create_person
from accounts.services.join_group import join_group
from accounts.services.leave_group import leave_group
from accounts.services.name_stand_in import name_stand_in
from accounts.services.set_roles import set_roles
from accounts.standing_at import standing_at
from approvals.access import AccessAt, access_at
from approvals.policies import Policy
from approvals.services import policies
from approvals.services.publish import publish
from approvals.vocabulary import Effect
from audit.actors import Actor
from audit.clock import database_now
from tests.audit.conftest import Attacker, attacker  # noqa: F401

Login = Callable[[Client, User], Client]
SYSTEM = Actor.system("tests")
MONEY_RULE = {
    "name": "large-refunds",
    "title": "Refunds over 50",
    "when": {"tools": ["issue_refund"], "effects": ["money"]},
    "effect": "review",
    "requirements": {"groups": [{"group": "finance", "count": 1}]},
}


@pytest.fixture
def mia(db: None) -> User:
    create_group(slug="finance", title="Finance", caller=SYSTEM)
    return create_person(username="mia", roles=["reviewer"], groups=["finance"], caller=SYSTEM)


@pytest.fixture
def policy(mia: User) -> None:
    document = policies.current().policy.document() | {"rules": [MONEY_RULE]}
    publish(
        document=Policy.model_validate(document),
        base_version=policies.current().version,
        caller=SYSTEM,
        why="Refunds.",
    )


def names(found: AccessAt, rule: str = "large-refunds") -> set[tuple[str, tuple[str, ...]]]:
    """Who could approve by a rule, each with those they stood in for."""
    (line,) = [line for line in found.lines if line.rule == rule]
    return {(each.person, each.on_behalf_of) for each in line.approvers}


def test_a_member_with_the_role_could_and_before_and_after_could_not(
    policy: None, mia: User
) -> None:
    before = database_now()
    assert names(access_at(before)) == {(str(mia.pk), ())}
    leave_group(person=mia, group="finance", caller=SYSTEM)
    after = database_now()
    assert names(access_at(before)) == {(str(mia.pk), ())}
    assert names(access_at(after)) == set()
    join_group(person=mia, group="finance", caller=SYSTEM)
    set_roles(person=mia, roles=["operator"], caller=SYSTEM)
    assert names(access_at(database_now())) == set()


def test_who_stood_in_could_while_the_absence_lasted(policy: None, mia: User) -> None:
    noa = create_person(username="noa", roles=["reviewer"], caller=SYSTEM)
    begins = database_now() + timedelta(days=1)
    name_stand_in(
        person=mia,
        stand_in=noa,
        starts_at=begins,
        ends_at=begins + timedelta(days=7),
        caller=SYSTEM,
    )
    own, lent = (str(mia.pk), ()), (str(noa.pk), (str(mia.pk),))
    assert names(access_at(begins - timedelta(hours=1))) == {own}
    assert names(access_at(begins + timedelta(days=1))) == {own, lent}
    assert names(access_at(begins + timedelta(days=8))) == {own}


def test_the_policy_is_the_one_that_was_in_force_then(mia: User) -> None:
    shipped = policies.current()
    then = database_now()
    publish(
        document=Policy.model_validate(shipped.policy.document() | {"rules": [MONEY_RULE]}),
        base_version=shipped.version,
        caller=SYSTEM,
        why="Refunds.",
    )
    assert [line.rule for line in access_at(then).lines if line.rule] == []
    now = access_at(database_now())
    assert [line.rule for line in now.lines if line.rule] == ["large-refunds"]
    assert now.published is not None
    assert now.published.body["policy"]["version"] == shipped.version + 1


def test_lines_about_other_effects_are_left_out(policy: None) -> None:
    rules = [line.rule for line in access_at(database_now(), Effect.CREDENTIALS).lines]
    assert "large-refunds" not in rules
    assert "large-refunds" in [line.rule for line in access_at(database_now(), Effect.MONEY).lines]


def test_before_the_first_policy_nothing_is_said(db: None) -> None:
    found = access_at(datetime(2000, 1, 1, tzinfo=UTC))
    assert (found.lines, found.events) == ((), 0)
    assert found.problem == "No policy was published before that moment."


@pytest.mark.django_db(transaction=True)
def test_a_policy_that_is_not_the_published_one_is_not_gone_by(
    policy: None,
    attacker: Attacker,  # noqa: F811
) -> None:
    attacker.does("UPDATE approvals_policyversion SET sha256 = %s", "sha256:" + "0" * 64)
    policies._parsed.cache_clear()
    found = access_at(database_now())
    assert (found.lines, found.policy) == ((), None)
    assert found.problem


def test_rows_and_events_say_the_same_about_everybody(policy: None, mia: User) -> None:
    standing = standing_at(database_now()).people[str(mia.pk)]
    assert standing.roles == set(mia.groups.values_list("name", flat=True))
    assert standing.groups == {"finance"}


def test_the_page_says_who_could_and_what_it_rests_on(
    client: Client, login: Login, auditor: User, policy: None, mia: User
) -> None:
    page = login(client, auditor)
    text = unescape(page.get(reverse("audit-access")).content.decode())
    assert "Refunds over 50" in text
    assert "mia" in text
    assert "What this rests on" in text
    assert "3 events about roles, review groups and stand-ins" in text
    day = page.get(reverse("audit-access"), {"day": "2000-01-01"}).content.decode()
    assert "No policy was published before that moment." in day
    assert page.get(reverse("audit-access"), {"day": "soon"}).status_code == 422


def test_the_page_comes_as_csv(
    client: Client, login: Login, auditor: User, policy: None, mia: User
) -> None:
    answer = login(client, auditor).get(
        reverse("audit-access"), {"effect": "money", "format": "csv"}
    )
    assert answer["Content-Type"].startswith("text/csv")
    rows = answer.content.decode().split("\r\n")
    (line,) = [row for row in rows if '"large-refunds"' in row]
    assert f'"finance","{mia.pk}","mia",""' in line


def test_who_may_not_read_the_log_is_refused(client: Client, login: Login, reviewer: User) -> None:
    assert login(client, reviewer).get(reverse("audit-access")).status_code == 403


def test_a_program_asks_who_could_approve_at_a_moment(
    policy: None, mia: User, client: Client, login: Login, auditor: User
) -> None:
    then = database_now()
    leave_group(person=mia, group="finance", caller=SYSTEM)
    login(client, auditor)

    def asked(**query: str) -> dict[str, Any]:
        answer = client.get("/api/v1/audit/access", query)
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()
        return found

    was = asked(at=then.isoformat(), effect="money")
    (line,) = [line for line in was["lines"] if line["rule"] == "large-refunds"]
    assert line["approvers"] == [
        {"id": str(mia.pk), "name": "mia", "group": "finance", "on_behalf_of": []}
    ]
    assert was["policy"] == policies.current().version
    (line,) = [line for line in asked()["lines"] if line["rule"] == "large-refunds"]
    assert line["approvers"] == []
    assert asked(at="2999-01-01T00:00:00Z")["at"] < "2999"
    assert (
        asked(at="2000-01-01T00:00:00Z")["problem"] == "No policy was published before that moment."
    )
    naive = client.get("/api/v1/audit/access", {"at": "2026-01-01T00:00:00"})
    assert (naive.status_code, naive.json()["code"]) == (422, "invalid_request")
