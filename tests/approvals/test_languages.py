"""What a decision is bound to does not depend on the language that anybody reads."""

from __future__ import annotations

import orjson
import pytest
from django.utils import translation

from accounts.models import User
from approvals.reasons import sentence
from approvals.showing import show
from approvals.states import RequestState
from audit.models import Event
from tests.approvals.conftest import Opener
from tests.invariants.doors import PageDoor


@pytest.fixture
def german(reviewer: User) -> User:
    """A reviewer who reads German."""
    reviewer.language = "de"
    reviewer.save()
    return reviewer


def test_what_was_shown_is_one_document_in_every_language(opened: Opener) -> None:
    request = opened()
    seen = []
    for language in ("en-gb", "de", None):
        with translation.override(language):
            seen.append(show(request))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1] == request.shown_sha256


def test_a_decision_on_a_german_page_is_the_one_that_an_english_page_makes(
    opened: Opener, german: User, second_reviewer: User
) -> None:
    recorded = []
    for person in (german, second_reviewer):
        request = opened()
        door = PageDoor(person)
        page = door.look(request.pk).document["html"]
        assert ('<html lang="de"' in page) is (person == german)
        seen = door.read(request)
        assert seen.shown_sha256 == request.shown_sha256
        assert door.decide(request.pk, seen).status == 303
        request.refresh_from_db()
        assert request.state == RequestState.APPROVED
        event = Event.objects.of_type("request.decided").get(request=request.pk)
        facts = orjson.loads(bytes(event.body))["facts"]
        recorded.append({name: facts[name] for name in facts if not name.endswith(("_at", "ms"))})
    assert recorded[0].keys() == recorded[1].keys()
    assert recorded[0]["verdict"] == recorded[1]["verdict"] == "approve"


def test_a_reason_is_said_in_the_language_of_its_reader() -> None:
    reason = {"code": "nothing_speaks", "params": {}}
    english = sentence(reason)
    with translation.override("de"):
        assert sentence(reason) != english
