"""What a decision is bound to does not depend on the language that anybody reads."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from django.utils import translation

from accounts.models import User
from approvals.forms import ThresholdForm
from approvals.policies import TimeWindow
from approvals.policy_words import share_text, window_text
from approvals.reasons import sentence
from approvals.showing import show
from approvals.states import RequestState
from approvals.views.list_form import ListFilterForm
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


def test_numbers_lists_and_days_of_a_policy_are_the_readers() -> None:
    below = {
        "code": "below_threshold",
        "params": {"confidence_bp": 6_100, "threshold_bp": 8_000, "source": "risk"},
    }
    window = TimeWindow.model_validate({"days": [0, 5], "start": "08:00", "until": "12:00"})
    assert " 0.61 is below the threshold 0.80" in sentence(below)
    assert share_text(Decimal("0.8125")) == "0.8125"
    assert window_text(window).startswith("on Monday or Saturday between 08:00")
    with translation.override("de"):
        assert "0,61 liegt unter der Schwelle 0,80" in sentence(below)
        assert share_text(Decimal("0.8125")) == "0,8125"
        assert window_text(window).startswith("Montag oder Samstag zwischen 08:00")
        assert dict(ListFilterForm({}, tab="team").fields["due"].choices)["none"] == "Keine Frist"
        form = ThresholdForm(
            lines=[("", [("risk=high", "High")])],
            data={"line": "risk=high", "value": "0,85", "why": "x", "base_version": "1"},
        )
        assert form.is_valid(), form.errors
        assert form.cleaned_data["value"] == Decimal("0.85")
