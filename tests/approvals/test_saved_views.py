"""Saved views: a reviewer names filters and finds them again; nobody else does."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from approvals.errors.saved_views import BadView
from approvals.models import SavedView
from approvals.services.saved_views import MOST_VIEWS, rename_view, save_view
from approvals.views.saved_views import lines_of
from audit.models import Event
from tests.approvals.till import by

QUERY = "tab=team&risk=high&claimed=free"


@pytest.fixture
def at_desk(reviewer: User) -> Client:
    client = Client()
    client.force_login(reviewer)
    return client


def test_named_filters_are_found_again_renamed_and_deleted(at_desk: Client, reviewer: User) -> None:
    before = Event.objects.count()
    saved: Any = at_desk.post("/inbox/views/", {"list": QUERY, "name": "  Urgent   money "})
    assert saved.headers["Location"] == f"/inbox/?{QUERY}"
    (line,) = lines_of(by(reviewer), QUERY)
    assert (line.name, line.url, line.current) == ("Urgent money", f"/inbox/?{QUERY}", True)
    assert line.words == "Team · High risk · Nobody is on it"
    text = at_desk.get("/inbox/").content.decode()
    assert "Urgent money" in text
    assert "Save as a view" not in at_desk.get(f"/inbox/?{QUERY}").content.decode()
    at_desk.post(f"/inbox/views/{line.pk}/", {"name": "Money"})
    assert [each.name for each in lines_of(by(reviewer))] == ["Money"]
    at_desk.post(f"/inbox/views/{line.pk}/", {"delete": "1", "name": "Money"})
    assert lines_of(by(reviewer)) == []
    assert Event.objects.count() == before, "a preference is not in the log"


def test_nobody_else_sees_changes_or_deletes_a_view(
    at_desk: Client, reviewer: User, second_reviewer: User
) -> None:
    view = save_view(name="Mine alone", query=QUERY, caller=by(second_reviewer))
    for path in ("/inbox/", "/inbox/views/"):
        assert "Mine alone" not in at_desk.get(path).content.decode()
    for body in ({"name": "Yours"}, {"delete": "1"}):
        assert at_desk.post(f"/inbox/views/{view.pk}/", body).status_code == 404
    view.refresh_from_db()
    assert view.name == "Mine alone"
    # The same name is free for everybody.
    save_view(name="Mine alone", query=QUERY, caller=by(reviewer))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"list": QUERY, "name": " "}, "Give it a name."),
        ({"list": QUERY, "name": "x" * 61}, "A name has at most 60 characters."),
        ({"list": QUERY, "name": "TAKEN"}, "Another view of yours has this name."),
        ({"list": "tab=team", "name": "All"}, "There are no filters to save."),
        ({"list": "tab=team&risk=purple", "name": "P"}, "There are no filters to save."),
        ({"name": "No list"}, "There are no filters to save."),
    ],
)
def test_what_cannot_be_saved_is_said_and_nothing_changes(
    at_desk: Client, reviewer: User, body: dict[str, str], says: str
) -> None:
    save_view(name="Taken", query=QUERY, caller=by(reviewer))
    answer = at_desk.post("/inbox/views/", body)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert SavedView.objects.count() == 1


def test_a_reviewer_keeps_so_many_views_and_no_more(at_desk: Client, reviewer: User) -> None:
    for number in range(MOST_VIEWS):
        save_view(name=f"View {number}", query=QUERY, caller=by(reviewer))
    with pytest.raises(BadView, match="Delete one first"):
        save_view(name="One more", query=QUERY, caller=by(reviewer))
    first = SavedView.objects.order_by("pk")[0]
    with pytest.raises(BadView, match="has this name"):
        rename_view(pk=first.pk, name="view 3", caller=by(reviewer))
    # Its own name in other letters is no other view's.
    assert rename_view(pk=first.pk, name="VIEW 0", caller=by(reviewer)).name == "VIEW 0"
    answer = at_desk.post(f"/inbox/views/{first.pk}/", {"name": "View 5"})
    assert answer.status_code == 422
    assert "has this name" in answer.content.decode()
