"""The ground that other tests stand on."""

from pathlib import Path

import pytest
from django.db import DatabaseError, connection, connections, transaction

from accounts.models import ReviewGroup, User
from countersign.embedded import Layout
from countersign.testing.cluster import MIGRATING, Cluster, TemplateError
from tests.harness.visible import left_in_english


def test_the_application_login_is_no_superuser_and_owns_nothing(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("countersign_app", False)
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
        assert cursor.fetchone() == (0,)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_user ADD COLUMN spare text")


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_committing_test_leaves_is_gone_before_the_next(
    transactional_db: None, turn: int
) -> None:
    assert not ReviewGroup.objects.exists()
    ReviewGroup.objects.create(slug="left-behind", title=f"Left behind {turn}")


@pytest.mark.django_db(databases=["default", "owner", "sealer"])
def test_each_alias_signs_in_as_its_own_login() -> None:
    seen = set()
    for alias in ("default", "owner", "sealer"):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT current_user::text")
            seen.add(cursor.fetchone()[0])
    assert seen == {"countersign_app", "countersign_owner", "countersign_sealer"}


def test_both_reviewers_are_in_finance_and_support(
    reviewer: User, second_reviewer: User, finance: ReviewGroup, support: ReviewGroup
) -> None:
    for person in (reviewer, second_reviewer):
        assert set(person.review_groups.all()) == {finance, support}
        assert person.has_perm("accounts.decide_requests")


def test_the_outsider_may_do_nothing(outsider: User) -> None:
    assert outsider.get_all_permissions() == set()


def test_a_sentence_that_a_german_page_leaves_in_english_is_named_and_what_people_wrote_is_not() -> (
    None
):
    page = "<title>{} · Countersign (1)</title><p>{}</p><code>the end</code><p>: Paid for by us</p>"
    english = page.format("Paid for by us", "Nobody is on it")
    assert left_in_english(english, english, '["Paid for by us"]') == ["Nobody is on it"]
    german = page.format("Paid for by us", "Von niemandem vorgemerkt")
    assert left_in_english(english, german, '["Paid for by us"]') == []
    assert left_in_english(english, german, "") == ["Paid for by us"]


def test_a_template_that_was_not_migrated_is_not_copied_and_says_why(tmp_path: Path) -> None:
    cluster = Cluster(Layout(tmp_path), secrets=None)  # type: ignore[arg-type]
    (tmp_path / MIGRATING).write_text("agents.0001 is broken")
    with pytest.raises(TemplateError, match=r"agents\.0001 is broken"):
        cluster.clone("copy")
