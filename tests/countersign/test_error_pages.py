"""What a browser is shown when a request does not get as far as a page."""

import pytest
from django.test import Client, override_settings


@pytest.mark.django_db
def test_a_form_from_an_old_page_says_what_to_do() -> None:
    answer = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "reviewer"})
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "This was sent from an old page" in page
    assert "Nothing was changed." in page


@override_settings(ALLOWED_HOSTS=["countersign.example"])
def test_what_cannot_be_understood_is_answered_with_a_page_of_ours() -> None:
    answer = Client().get("/inbox/", headers={"host": "elsewhere.example"})
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "What the browser sent could not be understood" in page
    assert "css/tokens.css" in page
    assert "style=" not in page
