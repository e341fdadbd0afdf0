"""Django's admin shows the log to superusers and changes nothing."""

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory

from accounts.models import User
from audit.models import Disclosure, Event, Export, Pending, Stream
from tests.audit.conftest import Record

pytestmark = pytest.mark.django_db
Login = Callable[[Client, User], Client]


@pytest.fixture
def superuser(auditor: User) -> User:
    auditor.is_staff = auditor.is_superuser = True
    auditor.save()
    return auditor


READ_ONLY = sorted(
    (
        model
        for model in admin.site._registry
        if model._meta.app_label in ("agents", "approvals", "audit")
    ),
    key=lambda model: model._meta.label,
)


def test_roles_and_people_are_changed_by_events_alone() -> None:
    registered = {model._meta.app_label for model in admin.site._registry}
    # All of which `READ_ONLY` looks at; others, such as addresses for links to a new password, are not there.
    assert registered == {"agents", "approvals", "audit"}
    assert {Event, Stream, Pending, Disclosure, Export} <= set(READ_ONLY)


@pytest.mark.parametrize("model", READ_ONLY)
def test_not_even_a_superuser_writes(model: type[Event], superuser: User) -> None:
    request = RequestFactory().get("/")
    request.user = superuser
    registered = admin.site.get_model_admin(model)
    assert registered.has_view_permission(request)
    assert not registered.has_add_permission(request)
    assert not registered.has_change_permission(request)
    assert not registered.has_delete_permission(request)


@pytest.mark.parametrize("model", READ_ONLY)
def test_lists_open(client: Client, login: Login, superuser: User, model: type[Event]) -> None:
    address = f"/django-admin/{model._meta.app_label}/{model._meta.model_name}/"
    assert login(client, superuser).get(address).status_code == 200


def test_an_event_opens_with_its_body(
    client: Client, login: Login, superuser: User, recorded: Record
) -> None:
    event = recorded()
    address = f"/django-admin/audit/event/{event.pk}/change/"
    assert event.leaf_hex in login(client, superuser).get(address).content.decode()
