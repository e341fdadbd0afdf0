"""Who is asking is read in one statement with the session, and is never more than Django would say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.callers import Caller
from accounts.middleware import CallerMiddleware, PersonMiddleware
from accounts.models import EffectiveMembership, Membership, ReviewGroup, SignedIn, User
from accounts.services.name_stand_in import name_stand_in
from accounts.sessions import BACKEND, SessionStore
from audit.actors import Actor

ME = "/api/v1/me"
Login = Callable[[Client, User], Client]


@pytest.fixture
def superuser(db: None) -> User:
    made: User = User.objects.create_superuser("superuser")
    return made


@pytest.fixture
def stand_in(outsider: User, reviewer: User) -> User:
    """Has a permission by themselves, and stands in for the reviewer."""
    codename, groups = "decide_requests", ReviewGroup.objects.all()
    outsider.user_permissions.add(Permission.objects.get(codename=codename))
    Membership.objects.create(user=outsider, group=groups[0])
    begin = timezone.now() - timedelta(hours=1)
    name_stand_in(
        person=reviewer,
        stand_in=outsider,
        starts_at=begin,
        ends_at=begin + timedelta(days=1),
        caller=Actor.system("tests"),
    )
    return outsider


def asked(client: Client, method: str = "GET") -> Any:
    """A request of that browser, as far as the middleware that says who asks."""
    request = getattr(RequestFactory(), method.lower())("/")
    request.session = SessionStore(client.session.session_key)
    for middleware in (PersonMiddleware, CallerMiddleware):
        middleware(lambda _: None)(request)  # type: ignore[arg-type, return-value]
    return request


@pytest.mark.parametrize("who", ["reviewer", "auditor", "outsider", "stand_in"])
def test_what_is_read_with_the_session_is_what_would_be_read_by_itself(
    who: str, request: pytest.FixtureRequest, client: Client, login: Login
) -> None:
    user: User = request.getfixturevalue(who)
    login(client, user)
    caller: Caller = asked(client).caller
    fresh = User.objects.get(pk=user.pk)
    known = EffectiveMembership.objects.filter(user=user).values_list("group_id", "on_behalf_of_id")
    assert vars(caller)["memberships"] == frozenset(known)
    assert caller.user._perm_cache == fresh.get_all_permissions()  # type: ignore[attr-defined]
    columns = [field.attname for field in User._meta.concrete_fields]
    assert [getattr(caller.user, name) for name in columns] == [
        getattr(fresh, name) for name in columns
    ]


def test_a_look_asks_once_who_it_is(
    client: Client, login: Login, reviewer: User, django_assert_num_queries: Any
) -> None:
    login(client, reviewer)
    asked(client)
    with django_assert_num_queries(1):
        caller = asked(client).caller
        assert caller.holds("decide_requests")
        assert len(caller.group_ids) == 2


def test_a_change_asks_for_rights_and_groups_where_it_is_made(
    client: Client, login: Login, reviewer: User
) -> None:
    caller = asked(login(client, reviewer), "POST").caller
    User.groups.through.objects.filter(user=reviewer).delete()
    Membership.objects.filter(user=reviewer).delete()
    assert not caller.holds("decide_requests")
    assert caller.group_ids == frozenset()


def test_a_superuser_has_every_right_and_no_list_of_them(
    client: Client, login: Login, superuser: User
) -> None:
    caller = asked(login(client, superuser)).caller
    assert caller.holds("manage_people")
    assert not hasattr(caller.user, "_perm_cache")


def test_rights_that_are_taken_are_gone_with_the_next_request(
    client: Client, login: Login, reviewer: User
) -> None:
    login(client, reviewer)
    assert asked(client).caller.group_ids
    reviewer.groups.remove(Group.objects.get(name="reviewer"))
    Membership.objects.filter(user=reviewer).delete()
    caller = asked(client).caller
    assert not caller.holds("decide_requests")
    assert caller.group_ids == frozenset()


def test_a_note_about_the_session_makes_nobody_of_another(
    client: Client, login: Login, outsider: User, admin: User
) -> None:
    """What the signed content says counts, whatever was noted beside it."""
    login(client, outsider)
    assert SignedIn.objects.filter(user=outsider).update(user=admin) == 1
    caller = asked(client).caller
    assert caller.user.pk == outsider.pk
    assert not caller.holds("manage_people")
    SignedIn.objects.all().delete()
    assert client.get(ME).json()["username"] == "outsider"


def deactivated(user: User, _: Session, __: Any) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def with_another_password(user: User, _: Session, __: Any) -> None:
    user.set_password("another, and a long one")
    user.save()


def deleted(_: User, session: Session, __: Any) -> None:
    session.delete()


def over(_: User, session: Session, __: Any) -> None:
    Session.objects.filter(pk=session.pk).update(expire_date=timezone.now() - timedelta(seconds=1))


def tampered(_: User, session: Session, __: Any) -> None:
    head, rest = session.session_data[:1], session.session_data[1:]
    content = ("a" if head != "a" else "b") + rest
    Session.objects.filter(pk=session.pk).update(session_data=content)


def signed_by_another_key(_: User, __: Session, settings: Any) -> None:
    settings.SECRET_KEY = "another key, which is as long as one should be, or longer"


def of_a_backend_that_is_no_more(_: User, __: Session, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [settings.AUTHENTICATION_BACKENDS[0]]


@pytest.mark.parametrize(
    "ended",
    [
        deactivated,
        with_another_password,
        deleted,
        over,
        tampered,
        signed_by_another_key,
        of_a_backend_that_is_no_more,
    ],
)
def test_a_session_that_ended_is_nobodys(
    client: Client, login: Login, reviewer: User, settings: Any, ended: Callable[..., None]
) -> None:
    login(client, reviewer)
    session = Session.objects.get(pk=client.session.session_key)
    assert asked(client).caller is not None
    answer = client.get("/inbox/counts/")
    assert answer.status_code == 200
    ended(reviewer, session, settings)
    assert client.get(ME).status_code == 401
    assert client.get("/inbox/counts/").status_code == 302


def test_the_backend_that_is_read_ahead_is_the_one_that_people_sign_in_by(settings: Any) -> None:
    assert BACKEND in settings.AUTHENTICATION_BACKENDS
