"""Tokens: shown once, kept as a hash, never more than the account may."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.callers import ALL_SCOPES, Caller
from accounts.errors import (
    BadToken,
    PermissionMissing,
    ScopeBeyondAccount,
    SessionRequired,
    TokenRefused,
    UnknownScope,
    UnknownToken,
)
from accounts.models import ApiToken, User
from accounts.services.create_token import create_token
from accounts.services.revoke_token import revoke_token
from accounts.services.set_roles import set_roles
from accounts.services.use_token import _record_first_use, use_token
from accounts.tokens import Bearer
from audit.actors import Actor
from tests.accounts.conftest import Bodies, MakeToken

SYSTEM = Actor.system("tests")


def test_only_a_hash_is_stored(
    reviewer: User, make_token: MakeToken, database_dump: Callable[[str], str]
) -> None:
    bearer = Bearer.parse(make_token(reviewer))
    assert bearer is not None
    stored = database_dump("accounts_apitoken")
    assert bearer.prefix in stored
    assert bearer.secret_sha256.hex() in stored
    assert bearer.secret not in stored


def test_a_token_in_a_log_line_shows_no_secret() -> None:
    bearer = Bearer.generate()
    assert bearer.secret not in repr(bearer)
    assert bearer.secret not in repr({"token": bearer})


def test_a_token_stands_for_its_account_and_scopes(reviewer: User, make_token: MakeToken) -> None:
    caller = use_token(presented=make_token(reviewer, "read"))
    assert caller.user == reviewer
    assert caller.is_token
    assert caller.scopes == {"read"}
    assert caller.auth == f"token:{ApiToken.objects.get().pk}"


def test_without_scopes_a_token_carries_all_that_the_account_may(
    reviewer: User, auditor: User, make_token: MakeToken
) -> None:
    assert use_token(presented=make_token(reviewer)).scopes == {"read", "decide"}
    assert use_token(presented=make_token(auditor)).scopes == {"read", "audit"}


def test_the_right_prefix_with_another_secret_is_refused(
    reviewer: User, make_token: MakeToken
) -> None:
    bearer = Bearer.parse(make_token(reviewer))
    assert bearer is not None
    forged = Bearer(prefix=bearer.prefix, secret=Bearer.generate().secret)
    with pytest.raises(TokenRefused):
        use_token(presented=str(forged))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text.upper(),
        lambda text: text.replace("cs_", "xx_"),
        lambda text: f" {text}",
        lambda text: f"{text}\n",
        lambda text: text.split("_")[2],
    ],
)
def test_anything_but_the_exact_token_is_refused(
    reviewer: User, make_token: MakeToken, change: Callable[[str], str]
) -> None:
    with pytest.raises(TokenRefused):
        use_token(presented=change(make_token(reviewer)))


def test_a_revoked_token_is_refused(reviewer: User, make_token: MakeToken, bodies: Bodies) -> None:
    token = make_token(reviewer)
    stored = ApiToken.objects.get()
    caller = Caller.of_session(reviewer)
    assert revoke_token(token_id=stored.pk, caller=caller)
    assert not revoke_token(token_id=stored.pk, caller=caller)
    with pytest.raises(TokenRefused):
        use_token(presented=token)
    assert [body["facts"]["token"] for body in bodies("token.revoked")] == [str(stored.pk)]


def test_an_expired_token_is_refused(reviewer: User) -> None:
    made = create_token(person=reviewer, name="short", lifetime=timedelta(hours=1), caller=SYSTEM)
    assert use_token(presented=str(made.bearer)).user == reviewer
    past = timezone.now() - timedelta(seconds=1)
    ApiToken.objects.update(created_at=past - timedelta(hours=1), expires_at=past)
    with pytest.raises(TokenRefused):
        use_token(presented=str(made.bearer))


def test_the_token_of_a_closed_account_is_refused(reviewer: User, make_token: MakeToken) -> None:
    token = make_token(reviewer)
    User.objects.filter(pk=reviewer.pk).update(is_active=False)
    with pytest.raises(TokenRefused):
        use_token(presented=token)


def test_a_role_that_is_lost_is_lost_to_the_token_too(
    reviewer: User, make_token: MakeToken
) -> None:
    token = make_token(reviewer, "decide")
    assert use_token(presented=token).may("decide_requests", "decide")
    set_roles(person=reviewer, roles=[], caller=SYSTEM)
    assert not use_token(presented=token).may("decide_requests", "decide")


def test_the_first_use_is_an_event_and_the_second_is_not(
    reviewer: User, make_token: MakeToken, bodies: Bodies
) -> None:
    token = make_token(reviewer)
    use_token(presented=token)
    use_token(presented=token)
    (body,) = bodies("token.used_first")
    assert body["actor"]["auth"] == f"token:{ApiToken.objects.get().pk}"


def test_of_two_that_both_saw_an_unused_token_one_records_its_first_use(
    reviewer: User, make_token: MakeToken, bodies: Bodies
) -> None:
    token = make_token(reviewer)
    seen_unused = ApiToken.objects.get()
    use_token(presented=token)
    _record_first_use(seen_unused, Actor.person(reviewer.pk, f"token:{seen_unused.pk}"))
    assert len(bodies("token.used_first")) == 1


def test_last_use_moves_at_most_once_a_minute(reviewer: User, make_token: MakeToken) -> None:
    token = make_token(reviewer)
    use_token(presented=token)
    for age, moves in ((timedelta(seconds=50), False), (timedelta(seconds=70), True)):
        before = timezone.now() - age
        ApiToken.objects.update(last_used_at=before)
        use_token(presented=token)
        assert (ApiToken.objects.get().last_used_at != before) is moves


def test_a_scope_that_the_account_cannot_use_is_not_given(operator: User, bodies: Bodies) -> None:
    with pytest.raises(ScopeBeyondAccount) as refusal:
        create_token(person=operator, name="greedy", scopes=["read", "decide"], caller=SYSTEM)
    assert refusal.value.params == {"scopes": ["decide"]}
    assert not ApiToken.objects.exists()
    assert bodies("token.created") == []


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"scopes": ["everything"]}, UnknownScope),
        ({"scopes": []}, BadToken),
        ({"name": "  "}, BadToken),
        ({"name": "x" * 81}, BadToken),
    ],
)
def test_a_token_that_does_not_hold_is_refused(
    reviewer: User, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        create_token(**{"person": reviewer, "name": "fine", "caller": SYSTEM, **changes})
    assert not ApiToken.objects.exists()


def test_an_unknown_scope_does_not_pass_the_database_either(
    reviewer: User, make_token: MakeToken
) -> None:
    make_token(reviewer)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiToken.objects.update(scopes=["everything"])


def test_nobody_makes_a_token_for_somebody_else(as_admin: Caller, reviewer: User) -> None:
    with pytest.raises(PermissionMissing):
        create_token(person=reviewer, name="borrowed", caller=as_admin)
    with pytest.raises(PermissionMissing):
        create_token(person=reviewer, name="borrowed", caller=Actor.agent("refund-desk"))
    assert not ApiToken.objects.exists()


def test_a_token_makes_and_revokes_no_tokens(reviewer: User, make_token: MakeToken) -> None:
    make_token(reviewer)
    stored = ApiToken.objects.get()
    caller = Caller(user=reviewer, auth=f"token:{stored.pk}", scopes=ALL_SCOPES)
    with pytest.raises(SessionRequired):
        create_token(person=reviewer, name="offspring", caller=caller)
    with pytest.raises(SessionRequired):
        revoke_token(token_id=stored.pk, caller=caller)


def test_nobody_revokes_what_is_not_theirs(
    as_admin: Caller, reviewer: User, make_token: MakeToken
) -> None:
    token = make_token(reviewer)
    with pytest.raises(UnknownToken):
        revoke_token(token_id=ApiToken.objects.get().pk, caller=as_admin)
    assert use_token(presented=token).user == reviewer


def test_the_creation_is_recorded_with_its_scopes(
    reviewer: User, make_token: MakeToken, bodies: Bodies
) -> None:
    make_token(reviewer, "decide", "read")
    (body,) = bodies("token.created")
    assert body["stream"] == f"person:{reviewer.pk}"
    assert body["facts"] == {"token": str(ApiToken.objects.get().pk), "scopes": ["read", "decide"]}
