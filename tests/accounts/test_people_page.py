"""People: admins see and change who may do what; nobody else gets in."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import ReviewGroup, User
from accounts.roles import roles_of
from accounts.views import people
from tests.accounts.conftest import Bodies

Login = Callable[[Client, User], Client]


@pytest.fixture
def desk(client: Client, login: Login, admin: User) -> Client:
    """A browser in which the admin is signed in."""
    return login(client, admin)


def test_a_reviewer_is_told_who_can_help_and_the_attempt_is_recorded(
    client: Client, login: Login, reviewer: User, second_admin: User, bodies: Bodies
) -> None:
    answer = login(client, reviewer).get("/people/")
    assert answer.status_code == 403
    assert b"second-admin" in answer.content
    (refused,) = bodies("access.refused")
    assert refused["actor"]["id"] == str(reviewer.pk)
    assert refused["facts"] == {"door": "people", "method": "GET"}


@pytest.mark.parametrize("who", ["operator", "reviewer", "auditor", "outsider"])
@pytest.mark.parametrize(
    "path",
    ["/people/", "/people/add/", "/people/{}/", "/people/{}/invitation/", "/people/groups/add/"],
)
def test_nobody_but_an_admin_gets_in_or_changes_anything(
    client: Client, login: Login, request: pytest.FixtureRequest, who: str, path: str
) -> None:
    person = request.getfixturevalue(who)
    login(client, person)
    before = User.objects.count()
    data = {"username": "newcomer", "roles": ["admin"], "title": "Legal", "slug": "legal"}
    for answer in (client.get(path.format(person.pk)), client.post(path.format(person.pk), data)):
        assert answer.status_code in (403, 405)
    assert User.objects.count() == before
    assert "admin" not in roles_of(person)
    assert not ReviewGroup.objects.filter(slug="legal").exists()


def test_people_stand_there_with_roles_and_groups(desk: Client, reviewer: User) -> None:
    page = desk.get("/people/").content.decode()
    row = page[page.index(f"/people/{reviewer.pk}/") :]
    row = row[: row.index("</tr>")]
    assert "Reviewer" in row
    assert "Finance, Support" in row


def test_a_person_is_found_by_a_part_of_their_name(desk: Client, reviewer: User) -> None:
    assert f"/people/{reviewer.pk}/" in desk.get("/people/?q=view").content.decode()
    assert f"/people/{reviewer.pk}/" not in desk.get("/people/?q=adm").content.decode()
    assert "Nobody found" in desk.get("/people/?q=zzz").content.decode()


def test_many_people_come_in_pages(desk: Client) -> None:
    User.objects.bulk_create(User(username=f"person-{number:03}") for number in range(70))
    first = desk.get("/people/").content.decode()
    assert "person-010" in first
    assert "person-069" not in first
    following = re.search(r'href="([^"]+)" rel="next"', first)
    assert following is not None
    second = desk.get(following[1].replace("&amp;", "&")).content.decode()
    assert "person-069" in second
    assert "person-010" not in second


def test_a_forged_cursor_is_no_error_of_ours(desk: Client) -> None:
    assert desk.get("/people/?cursor=x").status_code == 302


def test_the_summary_says_who_decides_and_which_group_has_nobody(
    desk: Client, reviewer: User, operator: User, finance: ReviewGroup
) -> None:
    finance.members.add(operator)
    ReviewGroup.objects.create(slug="legal", title="Legal")
    page = desk.get("/people/").content.decode()
    rows = page[page.index("Who decides for which group") :]
    finance_row = rows[rows.index(">Finance") :]
    cells = finance_row[: finance_row.index("</tr>")].split("<td")
    assert "reviewer" in cells[1]
    assert "operator" in cells[2]
    legal_row = rows[rows.index(">Legal") :]
    assert "Nobody" in legal_row[: legal_row.index("</tr>")]


def test_an_added_person_gets_a_link_that_is_shown_once(desk: Client, finance: ReviewGroup) -> None:
    answer = desk.post(
        "/people/add/",
        {
            "username": "newcomer",
            "display_name": "Newcomer of Finance",
            "email": "newcomer@example.com",
            "roles": ["reviewer"],
            "groups": ["finance"],
        },
    )
    person = User.objects.get(username="newcomer")
    assert roles_of(person) == ["reviewer"]
    assert list(person.review_groups.all()) == [finance]
    link = re.search(r">(http[^<]+/accounts/password/reset/key/[^<]+)<", answer.content.decode())
    assert link is not None
    assert "no-store" in answer["Cache-Control"]
    assert b"Choose a password" in Client().get(link[1], follow=True).content
    assert "reset/key" not in desk.get(f"/people/{person.pk}/").content.decode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"username": "admin"}, "is taken"),
        ({"username": "ADMIN"}, "is taken"),
        ({"username": "two words"}, "Enter a valid username"),
        ({"username": "newcomer", "email": "no address"}, "Enter a valid email address"),
        ({"username": "newcomer", "roles": ["emperor"]}, "not one of the available choices"),
    ],
)
def test_what_does_not_hold_is_said_beside_the_field(
    desk: Client, data: dict[str, object], sentence: str
) -> None:
    answer = desk.post("/people/add/", data)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert User.objects.count() == 1


def test_roles_and_groups_are_saved_together(
    desk: Client, operator: User, finance: ReviewGroup, support: ReviewGroup
) -> None:
    path = f"/people/{operator.pk}/"
    answer = desk.post(path, {"roles": ["reviewer"], "groups": ["finance", "support"]})
    assert answer["Location"] == path
    assert roles_of(operator) == ["reviewer"]
    assert set(operator.review_groups.all()) == {finance, support}
    desk.post(path, {"roles": ["reviewer"], "groups": ["support"]})
    assert list(operator.review_groups.all()) == [support]
    page = desk.get(path).content.decode()
    assert re.search(r'value="support"[^>]* checked', page)
    assert not re.search(r'value="finance"[^>]* checked', page)


def test_when_the_groups_cannot_be_saved_the_roles_are_not_either(
    desk: Client, operator: User, finance: ReviewGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(**_: object) -> None:
        raise RuntimeError("deleted meanwhile")

    monkeypatch.setattr(people, "join_group", gone)
    with pytest.raises(RuntimeError):
        desk.post(f"/people/{operator.pk}/", {"roles": ["reviewer"], "groups": ["finance"]})
    assert roles_of(operator) == ["operator"]


def test_the_last_admin_is_told_why_they_stay(
    desk: Client, admin: User, finance: ReviewGroup
) -> None:
    answer = desk.post(f"/people/{admin.pk}/", {"roles": [], "groups": ["finance"]})
    assert answer.status_code == 422
    assert b"last active admin" in answer.content
    assert roles_of(admin) == ["admin"]
    assert not admin.review_groups.exists()


def test_an_admin_who_gives_the_role_up_lands_on_a_page_they_may_see(
    desk: Client, admin: User, second_admin: User
) -> None:
    answer = desk.post(f"/people/{admin.pk}/", {"roles": []}, follow=True)
    assert answer.redirect_chain[-1][0] == "/settings/"
    assert answer.status_code == 200


def test_an_account_in_use_gets_no_link_from_an_admin(desk: Client, reviewer: User) -> None:
    answer = desk.post(f"/people/{reviewer.pk}/invitation/", follow=True)
    assert b"has a password already" in answer.content
    assert b"reset/key" not in answer.content


def test_a_person_without_a_password_gets_another_link(desk: Client) -> None:
    desk.post("/people/add/", {"username": "newcomer"})
    person = User.objects.get(username="newcomer")
    answer = desk.post(f"/people/{person.pk}/invitation/")
    assert b"/accounts/password/reset/key/" in answer.content


def test_a_review_group_is_added_and_a_second_of_its_name_refused(desk: Client) -> None:
    data = {"title": "Legal", "slug": "legal", "email": "legal@example.com"}
    assert desk.post("/people/groups/add/", data)["Location"] == "/people/"
    assert ReviewGroup.objects.get(slug="legal").email == "legal@example.com"
    assert desk.post("/people/groups/add/", data).status_code == 422


def test_a_person_who_does_not_exist_is_not_found(desk: Client) -> None:
    assert desk.get("/people/999999/").status_code == 404


def test_a_form_from_elsewhere_changes_nothing(login: Login, admin: User, operator: User) -> None:
    strict = login(Client(enforce_csrf_checks=True), admin)
    assert strict.post(f"/people/{operator.pk}/", {"roles": ["admin"]}).status_code == 403
    assert roles_of(operator) == ["operator"]
