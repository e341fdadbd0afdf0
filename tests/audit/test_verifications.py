"""Checks of the whole log that somebody asks for, over pages and the API, and what they find."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.urls import reverse
from redis import Redis

from accounts.callers import Caller
from accounts.models import User
from audit import ports
from audit.clock import database_now
from audit.errors import Forbidden
from audit.models import Event
from audit.rows import rows_of
from audit.services.seal import seal
from audit.services.verify_log import (
    KEPT_FINDINGS,
    ask_verification,
    resume_verifications,
    verify_log,
)
from audit.verification import Verification, VerificationState
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record

Login = Callable[[Client, User], Client]
pytestmark = [
    pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS),
    pytest.mark.usefixtures("machine"),
]


@pytest.fixture
def asked(auditor: User) -> Verification:
    return ask_verification(caller=Caller.of_session(auditor))


@pytest.fixture
def short_lease(machine: Path) -> Iterator[None]:
    """A worker that gives no sign of life is given up at once."""
    config = settings.COUNTERSIGN.model_copy(update={"export_lease_seconds": 0.05})
    with override_settings(COUNTERSIGN=config):
        yield


def facts_of(type_: str) -> list[dict[str, Any]]:
    return [row.body.get("facts", {}) for row in rows_of(Event.objects.of_type(type_))]


def test_a_log_that_fits_is_said_to_fit_with_what_was_looked_at(
    recorded: Record, asked: Verification
) -> None:
    recorded()
    seal()
    verify_log(asked.pk)
    asked.refresh_from_db()
    assert asked.state == VerificationState.FITS
    assert asked.found == []
    assert f"{asked.events} events in" in asked.summary
    assert asked.leaves > 0
    (ended,) = facts_of("verification.ended")
    assert ended == {
        "verification": str(asked.pk),
        "events": asked.events,
        "size": asked.leaves,
        "found": 0,
    }


def test_what_was_changed_behind_the_log_is_named_and_those_who_administer_are_told(
    recorded: Record,
    asked: Verification,
    attacker: Attacker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(ports, "_raised_by", [lambda say: told.append(say()[1])])
    event = recorded()
    seal()
    attacker.does(
        "UPDATE audit_event SET body = convert_to(replace(convert_from(body, 'UTF8'), 'claimed', 'decided'), "
        "'UTF8') WHERE id = %s",
        event.pk,
    )
    verify_log(asked.pk)
    asked.refresh_from_db()
    assert asked.state == VerificationState.DIFFERS
    assert f"event {event.seq} was changed after it was written" in asked.found[0]
    assert asked.found[0] in told[0]
    assert facts_of("verification.ended")[0]["found"] == len(asked.found)


def test_whoever_asks_while_a_check_is_underway_gets_that_one(
    asked: Verification, auditor: User
) -> None:
    again = ask_verification(caller=Caller.of_session(auditor))
    assert again.pk == asked.pk
    assert Event.objects.of_type("verification.asked").count() == 1
    verify_log(asked.pk)
    assert ask_verification(caller=Caller.of_session(auditor)).pk != asked.pk


def test_who_may_not_read_the_log_has_nothing_checked(reviewer: User) -> None:
    with pytest.raises(Forbidden):
        ask_verification(caller=Caller.of_session(reviewer))
    assert not Verification.objects.exists()


@pytest.mark.usefixtures("short_lease")
def test_a_check_whose_worker_was_killed_is_taken_up_again_and_given_up_in_the_end(
    asked: Verification, redis_client: Redis
) -> None:
    redis_client.flushall()
    Verification.objects.update(state=VerificationState.RUNNING, beat_at=None, attempts=1)
    assert resume_verifications() == 1
    assert b"rq:queue:background" in redis_client.keys("*")
    verify_log(asked.pk)
    asked.refresh_from_db()
    assert (asked.state, asked.attempts) == (VerificationState.FITS, 2)
    most = settings.COUNTERSIGN.export_attempts
    Verification.objects.update(state=VerificationState.RUNNING, beat_at=None, attempts=most)
    verify_log(asked.pk)
    asked.refresh_from_db()
    assert asked.state == VerificationState.FAILED
    assert f"stopped {most} times" in asked.problem


def test_a_worker_that_is_told_to_stop_gives_the_check_back_at_once(
    asked: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_arguments: object) -> NoReturn:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("audit.services.verify_log.check", stop)
        with pytest.raises(SystemExit):
            verify_log(asked.pk)
    assert resume_verifications() == 1
    verify_log(asked.pk)
    asked.refresh_from_db()
    assert asked.state == VerificationState.FITS


def test_a_check_that_ends_with_an_error_says_so_and_what_to_do(
    asked: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> NoReturn:
        raise OSError("the disk is gone")

    monkeypatch.setattr("audit.services.verify_log.check", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        verify_log(asked.pk)
    asked.refresh_from_db()
    assert asked.state == VerificationState.FAILED
    assert asked.problem == "The check ended with an error. Ask again."
    assert (
        rows_of(Event.objects.of_type("verification.ended"))[0].body["outcome"]["decision"]
        == "not_finished"
    )


def test_no_more_findings_are_kept_than_are_shown_and_that_there_are_more_is_said(
    asked: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [f"Event {number} does not fit." for number in range(KEPT_FINDINGS + 20)]
    monkeypatch.setattr("audit.services.verify_log.check", lambda _checked: iter(many))
    verify_log(asked.pk)
    asked.refresh_from_db()
    assert asked.found == many[:KEPT_FINDINGS]
    assert asked.problem == "Only the first 100 are shown: audit_fsck --all names all."


def test_a_check_that_another_attempt_took_over_is_not_ended_by_the_first(
    asked: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(_checked: object) -> list[str]:
        Verification.objects.update(holder=uuid4())
        return ["what nobody waits for any more"]

    monkeypatch.setattr("audit.services.verify_log.check", overtaken)
    verify_log(asked.pk)
    asked.refresh_from_db()
    assert (asked.state, asked.found) == (VerificationState.RUNNING, [])
    assert facts_of("verification.ended") == []


def test_a_check_that_is_at_work_is_not_begun_twice(asked: Verification) -> None:
    Verification.objects.update(state=VerificationState.RUNNING, beat_at=database_now(), attempts=1)
    verify_log(asked.pk)
    asked.refresh_from_db()
    assert (asked.state, asked.attempts) == (VerificationState.RUNNING, 1)


def test_an_auditor_asks_on_the_page_of_the_log_and_reads_the_sentence(
    client: Client, login: Login, auditor: User, recorded: Record
) -> None:
    recorded()
    seal()
    page = login(client, auditor)
    text = page.get(reverse("audit-log")).content.decode()
    assert "approvals.example/log" in text
    assert "Newest checkpoint" in text
    answer = page.post(reverse("audit-verify"))
    check = Verification.objects.get()
    assert answer["Location"] == reverse("audit-verification", args=[check.pk])
    assert "Waiting for a worker" in page.get(answer["Location"]).content.decode()
    verify_log(check.pk)
    text = page.get(answer["Location"]).content.decode()
    assert "Everything fits" in text
    check.refresh_from_db()
    assert check.summary in text
    # The reader's language, whatever the worker spoke; of an older check the words that it kept.
    german = page.get(answer["Location"], headers={"Accept-Language": "de"}).content.decode()
    assert f"{check.events} Ereignisse in" in german
    counted = {**check.looked_at, "rows": {"effects": 1, "requests": 1_200}}
    Verification.objects.update(looked_at=counted)
    assert "1 effect, 1,200 requests." in page.get(answer["Location"]).content.decode()
    found = "Event 7 waits for sealing and is leaf 2 already: it was put back."
    Verification.objects.update(looked_at={}, found=[found])
    german = page.get(answer["Location"], headers={"Accept-Language": "de"}).content.decode()
    assert "Ereignis 7 wartet auf das Versiegeln" in german
    assert check.summary in page.get(answer["Location"]).content.decode()


def test_an_event_shows_its_place_and_its_proof_once_it_is_sealed(
    client: Client, login: Login, auditor: User, recorded: Record
) -> None:
    event = recorded()
    page = login(client, auditor)
    address = reverse("audit-event", args=[event.pk])
    assert "waits to be sealed" in page.get(address).content.decode()
    seal()
    text = page.get(address).content.decode()
    assert "waits to be sealed" not in text
    assert "Inclusion proof" in text


def test_a_program_asks_and_looks_until_it_has_ended(
    client: Client, login: Login, auditor: User
) -> None:
    session = login(client, auditor)
    asked = session.post("/api/v1/audit/verifications", headers={"X-CSRFToken": "unused"})
    assert asked.status_code == 201
    verify_log(asked.json()["id"])
    looked = session.get(f"/api/v1/audit/verifications/{asked.json()['id']}").json()
    assert (looked["state"], looked["found"]) == ("fits", [])
