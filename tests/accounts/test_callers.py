"""A caller needs both: the account's permission and the scope of the way in."""

import pytest

from accounts.callers import ALL_SCOPES, Caller, authorised
from accounts.errors import PermissionMissing, ScopeMissing
from accounts.models import ReviewGroup, User
from audit.actors import Actor


def token_caller(user: User, *scopes: str) -> Caller:
    return Caller(user=user, auth="token:1", scopes=ALL_SCOPES & set(scopes))


def test_a_session_carries_every_scope(reviewer: User) -> None:
    Caller.of_session(reviewer).require("decide_requests", scope="decide")


def test_a_token_without_the_scope_is_refused_though_the_account_may(reviewer: User) -> None:
    with pytest.raises(ScopeMissing) as refusal:
        token_caller(reviewer, "read").require("decide_requests", scope="decide")
    assert refusal.value.params == {"scope": "decide"}


def test_a_scope_gives_nothing_that_the_account_may_not(operator: User) -> None:
    caller = token_caller(operator, "read", "run", "decide")
    assert not caller.may("decide_requests", "decide")
    with pytest.raises(PermissionMissing) as refusal:
        caller.require("decide_requests", scope="decide")
    assert refusal.value.params == {"permission": "decide_requests"}


def test_what_needs_no_permission_still_needs_the_scope(outsider: User) -> None:
    token_caller(outsider, "read").require(None, scope="read")
    with pytest.raises(ScopeMissing):
        token_caller(outsider, "run").require(None, scope="read")


def test_a_closed_account_may_nothing(reviewer: User) -> None:
    reviewer.is_active = False
    caller = Caller.of_session(reviewer)
    assert not caller.may(None, "read")
    assert not caller.may("decide_requests", "decide")


def test_a_misspelt_permission_is_an_error_and_not_a_no(admin: User) -> None:
    with pytest.raises(ValueError, match="bare codename"):
        Caller.of_session(admin).may("accounts.manage_people", "admin")  # type: ignore[arg-type]


def test_the_actor_names_the_person_and_the_way_in(reviewer: User) -> None:
    assert Caller.of_session(reviewer).actor == Actor("person", str(reviewer.pk), "session")
    assert token_caller(reviewer).actor == Actor("person", str(reviewer.pk), "token:1")


def test_the_review_groups_are_those_the_person_belongs_to(
    reviewer: User, finance: ReviewGroup, support: ReviewGroup
) -> None:
    ReviewGroup.objects.create(slug="legal", title="Legal")
    assert Caller.of_session(reviewer).group_ids == {finance.pk, support.pk}


def test_a_system_actor_is_authorised_and_an_agent_is_not() -> None:
    seed = Actor.system("seed")
    assert authorised(seed, "manage_people", scope="admin") is seed
    with pytest.raises(PermissionMissing):
        authorised(Actor.agent("refund-desk"), "manage_people", scope="admin")
