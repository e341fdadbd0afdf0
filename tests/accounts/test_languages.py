"""Languages: a person's own choice, a visitor's cookie, what the browser says; programs read English."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import translation

from accounts.models import User
from tests.accounts.conftest import Bodies, MakeToken

Login = Callable[[Client, User], Client]
GERMAN = "Anmelden"
ENGLISH = "Sign in"


@pytest.fixture
def desk(client: Client, login: Login, reviewer: User) -> Client:
    """A browser in which the reviewer is signed in."""
    return login(client, reviewer)


def test_the_language_chosen_in_settings_is_kept_for_the_person(
    desk: Client, login: Login, reviewer: User, bodies: Bodies
) -> None:
    page = desk.get("/settings/").content.decode()
    assert '<html lang="en"' in page
    assert 'lang="de" aria-pressed="false">Deutsch</button>' in page
    answer = desk.post("/language/", {"language": "de", "next": "/settings/"})
    assert (answer.status_code, answer["Location"]) == (302, "/settings/")
    elsewhere = login(Client(), reviewer).get("/settings/")
    assert elsewhere["Content-Language"] == "de"
    page = elsewhere.content.decode()
    assert '<html lang="de"' in page
    assert 'lang="de" aria-pressed="true">Deutsch</button>' in page
    assert "Sprache" in page
    (event,) = bodies("language.chosen")
    assert event["facts"] == {"person": str(reviewer.pk), "language": "de"}


def test_the_same_choice_again_is_no_event(desk: Client, bodies: Bodies) -> None:
    for _ in range(2):
        desk.post("/language/", {"language": "de"})
    assert len(bodies("language.chosen")) == 1


def test_a_persons_choice_goes_before_what_the_browser_says(desk: Client) -> None:
    desk.post("/language/", {"language": "en-gb"})
    desk.cookies.pop("language")
    page = desk.get("/settings/", headers={"Accept-Language": "de"})
    assert page["Content-Language"] == "en-gb"


def test_a_visitor_keeps_a_choice_in_a_cookie(client: Client, db: None) -> None:
    assert ENGLISH in client.get("/accounts/login/").content.decode()
    client.post("/language/", {"language": "de", "next": "/accounts/login/"})
    page = client.get("/accounts/login/", headers={"Accept-Language": "en"}).content.decode()
    assert GERMAN in page
    assert ENGLISH not in page


@pytest.mark.parametrize(
    ("says", "reads"),
    [("de-AT,de;q=0.9,en;q=0.5", GERMAN), ("fr,en-US;q=0.5", ENGLISH), ("fr", ENGLISH)],
)
def test_a_visitor_without_a_choice_is_answered_as_the_browser_says(
    client: Client, db: None, says: str, reads: str
) -> None:
    page = client.get("/accounts/login/", headers={"Accept-Language": says})
    assert reads in page.content.decode()
    assert "Accept-Language" in page["Vary"]


def test_a_language_that_is_not_offered_changes_nothing(desk: Client, reviewer: User) -> None:
    assert desk.post("/language/", {"language": "xx"}).status_code == 400
    reviewer.refresh_from_db()
    assert reviewer.language == ""


def test_a_choice_leads_back_to_no_other_host(desk: Client) -> None:
    answer = desk.post("/language/", {"language": "de", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"


def test_programs_are_answered_in_english_whatever_their_person_reads(
    client: Client, admin: User, make_token: MakeToken
) -> None:
    admin.language = "de"
    admin.save()
    bearer = f"Bearer {make_token(admin)}"
    answer = client.get(
        "/api/v1/runs/00000000-0000-0000-0000-000000000000",
        headers={"Authorization": bearer, "Accept-Language": "de"},
    )
    assert answer.json()["detail"].startswith("There is no ")


def test_an_answer_in_german_leaves_nothing_behind_in_its_thread(desk: Client) -> None:
    before = translation.get_language()
    desk.post("/language/", {"language": "de"})
    desk.get("/settings/")
    assert translation.get_language() == before
