"""The demo is made once and found again."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from accounts.models import Membership, User
from agents.models import HostedAgent
from approvals.models import WorkingCalendar
from approvals.services.policies import current
from approvals.services.publish import publish
from approvals.services.set_calendar import create_calendar
from audit.actors import Actor
from demo.agents import refund_desk
from demo.models import Order
from demo.seed import seed
from demo.services.open_accounts import keep_password
from demo.services.publish_policy import with_rules
from demo.services.set_office_hours import CALENDAR
from tests.demo.judging import judged

pytestmark = pytest.mark.django_db


@pytest.fixture
def directory(settings: Settings, tmp_path: Path) -> Path:
    """A data directory of this test's own, without a password given."""
    configure(settings, tmp_path, "")
    return tmp_path


def configure(settings: Settings, directory: Path, password: str) -> None:
    settings.COUNTERSIGN = django_settings.COUNTERSIGN.model_copy(
        update={"data_dir": directory, "demo_password": password}
    )


def test_the_accounts_are_made_with_their_roles_and_groups(directory: Path) -> None:
    report = seed()
    assert report.new_accounts == report.accounts
    roles = {
        person.username: {group.name for group in person.groups.all()}
        for person in User.objects.filter(username__in=report.accounts)
    }
    assert roles == {
        "admin": {"admin", "records-keeper"},
        "reviewer": {"reviewer"},
        "second-reviewer": {"reviewer"},
        "operator": {"operator"},
        "auditor": {"auditor", "records-keeper"},
    }
    members = Membership.objects.values_list("group__slug", "user__username")
    assert set(members) == {
        (group, person)
        for group in ("finance", "support")
        for person in ("reviewer", "second-reviewer")
    }


def test_everybody_signs_in_with_the_password_that_is_said(directory: Path) -> None:
    report = seed()
    for person in User.objects.filter(username__in=report.accounts):
        assert person.check_password(report.password)
    assert report.password in str(report)
    assert "second-reviewer" in str(report)
    assert report.password not in repr(report)


def test_the_password_is_kept_for_its_owner_only(directory: Path) -> None:
    password = seed().password
    kept = directory / "keys" / "demo-password"
    assert kept.read_text().strip() == password
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(password) >= 16


def test_two_directories_have_two_passwords(tmp_path: Path) -> None:
    assert keep_password(tmp_path / "a") != keep_password(tmp_path / "b")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["demo-password"]


def test_seeding_again_finds_everything(directory: Path) -> None:
    first = seed()
    again = seed()
    assert again.password == first.password
    assert (again.new_shop, again.new_accounts) == (False, ())
    assert again.policy_version == first.policy_version
    assert Order.objects.count() == 300


def test_a_password_that_somebody_changed_is_left_alone(directory: Path) -> None:
    seed()
    person = User.objects.get(username="reviewer")
    person.set_password("my own choice")
    person.save()
    seed()
    person.refresh_from_db()
    assert person.check_password("my own choice")


def test_a_password_that_is_given_counts(settings: Settings, tmp_path: Path) -> None:
    configure(settings, tmp_path, "")
    seed()
    configure(settings, tmp_path, "given from outside")
    assert seed().password == "given from outside"
    assert User.objects.get(username="reviewer").check_password("given from outside")


def test_refund_desk_is_active_and_belongs_to_support(directory: Path) -> None:
    seed()
    hosted = HostedAgent.objects.select_related("active_version", "owner_group").get(
        slug="refund-desk"
    )
    assert hosted.active_version is not None
    assert hosted.active_version.digest == refund_desk.version
    assert hosted.owner_group.slug == "support"


def test_a_policy_that_an_admin_published_is_left_alone(directory: Path) -> None:
    seed()
    bare = current().policy.model_copy(update={"rules": ()})
    publish(
        document=bare.document(),
        base_version=current().version,
        caller=Actor.system("demo"),
        why="Everything is to be reviewed.",
    )
    seed()
    assert current().policy.rules == ()


def test_large_refunds_are_decided_in_office_hours(directory: Path) -> None:
    seed()
    assert WorkingCalendar.objects.get(slug="office-hours").calendar.timezone == "Europe/Berlin"
    verdict = judged("issue_refund", 9300, order="ORD-10001", amount="420.00")
    assert verdict.requirements is not None
    assert verdict.requirements.calendar == "office-hours"


def test_a_calendar_of_that_name_is_left_alone(directory: Path) -> None:
    own = {**CALENDAR, "title": "Ours"}
    create_calendar(document=own, caller=Actor.system("demo"))
    seed()
    assert WorkingCalendar.objects.get(slug="office-hours").title == "Ours"


@pytest.mark.parametrize(
    ("amount", "confidence_bp", "rule", "people"),
    [
        ("42.00", 9300, "small-refunds", None),
        ("50.00", 8000, "small-refunds", None),
        ("50.00", 7999, "", {"@owner": 2}),
        ("50.01", 9900, "large-refunds", {"finance": 1}),
        ("420.00", 9300, "large-refunds", {"finance": 1}),
    ],
)
def test_amount_and_confidence_decide_who_is_asked(
    directory: Path, amount: str, confidence_bp: int, rule: str, people: dict[str, int] | None
) -> None:
    seed()
    verdict = judged("issue_refund", confidence_bp, order="ORD-10001", amount=amount)
    assert verdict.rule == rule
    if people is None:
        assert verdict.allowed
    else:
        assert not verdict.allowed
        assert verdict.requirements is not None
        asked = {need.group: need.count for need in verdict.requirements.groups}
        assert asked == people


def test_a_mail_to_the_customer_runs_by_itself(directory: Path) -> None:
    seed()
    mail = {"order": "ORD-10001", "subject": "Your refund", "body": "It is on its way."}
    assert judged("send_email", 9700, **mail).allowed
    assert not judged("send_email", 7000, **mail).allowed


def test_the_rules_only_add_to_the_shipped_policy(directory: Path) -> None:
    shipped = current().policy
    assert with_rules(shipped).baseline == shipped.baseline
    assert with_rules(shipped).thresholds == shipped.thresholds
