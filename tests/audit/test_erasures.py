"""Erasing takes two people; a legal hold stands in the way."""

import datetime as dt
import threading
from collections.abc import Callable
from html import unescape
from uuid import uuid4

import orjson
import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test import Client
from django.urls import reverse

from accounts.callers import Caller
from accounts.models import User
from audit.errors import Forbidden
from audit.fsck import Checked, check
from audit.models import Disclosure, Event, SubjectKey
from audit.record_keeping import Erasure, ErasureReason, ErasureState, Hold, HoldScope
from audit.recorder import record
from audit.schemas import Disclose
from audit.services.hold import BadHold, HoldLifted, OnHold, UnknownHold, lift_hold, set_hold
from audit.services.redact import (
    AlreadyProposed,
    ErasureClosed,
    NothingToErase,
    OtherSubject,
    OwnErasure,
    UnknownErasure,
    confirm_erasure,
    decline_erasure,
    find_erasure,
    propose_erasure,
)
from tests.audit.conftest import REVIEWER, Record, until
from tests.audit.keeping import came_to_while_held
from tests.harness.people import person

NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
Login = Callable[[Client, User], Client]


@pytest.fixture
def keeper(db: None) -> Caller:
    return Caller.of_session(person("keeper", "records-keeper"))


@pytest.fixture
def second_keeper(db: None) -> Caller:
    return Caller.of_session(person("second-keeper", "records-keeper"))


@pytest.fixture
def told(recorded: Record) -> Event:
    """An event that keeps a person's words apart."""
    return recorded(
        type="request.commented",
        stream="policy",
        disclosures=[Disclose("comment", "charged twice", "person:7")],
    )


def propose(caller: Caller, subject: str = "person:7") -> Erasure:
    return propose_erasure(subject=subject, reason=ErasureReason.ASKED, caller=caller)


def hold(caller: Caller, scope: HoldScope = HoldScope.EVERYTHING, target: str = "") -> Hold:
    return set_hold(matter="case 17", why="A suit.", scope=scope, target=target, caller=caller)


def bodies(event_type: str) -> list[dict[str, object]]:
    found = Event.objects.filter(type=event_type).oldest_first()
    return [orjson.loads(bytes(event.body)) for event in found]


def test_what_one_proposes_another_erases_and_both_are_events(
    told: Event, keeper: Caller, second_keeper: Caller
) -> None:
    erasure = propose(keeper)
    assert Disclosure.objects.filter(event=told.pk).exists()
    confirm_erasure(erasure_id=erasure.pk, subject=erasure.subject, caller=second_keeper)
    assert not SubjectKey.objects.filter(subject="person:7").exists()
    facts = {
        "erasure": str(erasure.pk),
        "subject": "person:7",
        "disclosures": 1,
        "proposed_by": keeper.actor.id,
    }
    (proposed,), (erased,) = bodies("redaction.proposed"), bodies("disclosure.redacted")
    assert (proposed["facts"], proposed["actor"]["id"]) == (facts, keeper.actor.id)  # type: ignore[index]
    assert (erased["facts"], erased["actor"]["id"]) == (facts, second_keeper.actor.id)  # type: ignore[index]
    assert erased["outcome"] == {"decision": "redacted", "reason_code": "asked"}


def test_nobody_confirms_their_own_and_the_attempt_is_recorded(told: Event, keeper: Caller) -> None:
    erasure = propose(keeper)
    with pytest.raises(OwnErasure):
        confirm_erasure(erasure_id=erasure.pk, subject=erasure.subject, caller=keeper)
    assert Disclosure.objects.filter(event=told.pk).exists()
    (refused,) = bodies("redaction.refused")
    assert refused["outcome"] == {"decision": "refused", "reason_code": "own_erasure"}


def test_only_what_was_proposed_and_is_named_once_more_is_erased(
    told: Event, keeper: Caller, second_keeper: Caller
) -> None:
    erasure = propose(keeper)
    with pytest.raises(OtherSubject):
        confirm_erasure(erasure_id=erasure.pk, subject="person:8", caller=second_keeper)
    nobodys = uuid4()
    with pytest.raises(UnknownErasure):
        confirm_erasure(erasure_id=nobodys, subject=erasure.subject, caller=second_keeper)
    with pytest.raises(UnknownErasure):
        decline_erasure(erasure_id=nobodys, caller=second_keeper)
    with pytest.raises(UnknownErasure):
        find_erasure(nobodys, caller=second_keeper)
    with pytest.raises(UnknownHold):
        lift_hold(hold_id=nobodys, caller=keeper)
    assert Disclosure.objects.filter(event=told.pk).exists()
    assert find_erasure(erasure.pk, caller=second_keeper).state == ErasureState.PROPOSED
    confirm_erasure(erasure_id=erasure.pk, subject=f" {erasure.subject}\n", caller=second_keeper)
    assert not Disclosure.objects.filter(event=told.pk).exists()


def test_the_database_too_refuses_one_who_confirms_their_own(told: Event, keeper: Caller) -> None:
    erasure = propose(keeper)
    with pytest.raises(IntegrityError, match="takes_two"), transaction.atomic():
        Erasure.objects.filter(pk=erasure.pk).update(
            state="confirmed", decided_by=erasure.proposed_by
        )


def test_a_declined_erasure_erases_nothing_and_is_over(
    told: Event, keeper: Caller, second_keeper: Caller
) -> None:
    erasure = propose(keeper)
    decline_erasure(erasure_id=erasure.pk, caller=second_keeper)
    assert Disclosure.objects.filter(event=told.pk).exists()
    assert len(bodies("redaction.declined")) == 1
    with pytest.raises(ErasureClosed):
        confirm_erasure(erasure_id=erasure.pk, subject=erasure.subject, caller=second_keeper)


def test_what_is_proposed_is_not_proposed_again(told: Event, keeper: Caller) -> None:
    propose(keeper)
    with pytest.raises(AlreadyProposed):
        propose(keeper)


@pytest.mark.django_db(transaction=True)
def test_a_hold_that_is_being_set_is_waited_for(
    told: Event, keeper: Caller, second_keeper: Caller
) -> None:
    erasure = propose(keeper)
    came_to = came_to_while_held(
        lambda: confirm_erasure(
            erasure_id=erasure.pk, subject=erasure.subject, caller=second_keeper
        )
    )
    assert isinstance(came_to, OnHold)
    assert Disclosure.objects.filter(event=told.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_what_a_writer_in_flight_keeps_apart_is_erased_and_counted(
    told: Event, keeper: Caller, second_keeper: Caller
) -> None:
    erasure = propose(keeper)

    def confirmed() -> None:
        try:
            confirm_erasure(erasure_id=erasure.pk, subject=erasure.subject, caller=second_keeper)
        finally:
            connections.close_all()

    thread = threading.Thread(target=confirmed)
    with transaction.atomic():
        record(
            type="request.commented",
            actor=REVIEWER,
            stream="policy",
            disclosures=[Disclose("comment", "and once more", "person:7")],
        )
        thread.start()
        until(_somebody_waits_for_keys, "the erasure did not wait for the writer")
    thread.join()
    (erased,) = bodies("disclosure.redacted")
    assert erased["facts"]["disclosures"] == 2  # type: ignore[index]
    assert not Disclosure.objects.filter(key__subject="person:7").exists()
    assert list(check(Checked())) == []


def _somebody_waits_for_keys() -> bool:
    """For the transaction that keeps one of them from being deleted. What `pg_stat_activity` says stays the same
    until a transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")
        return cursor.fetchone() is not None


def test_nothing_is_proposed_about_whom_nothing_is_kept(db: None, keeper: Caller) -> None:
    with pytest.raises(NothingToErase):
        propose(keeper, "person:8")
    assert not Erasure.objects.exists()


def test_it_takes_the_right(told: Event, auditor: User, keeper: Caller) -> None:
    erasure = propose(keeper)
    for act in (
        propose,
        lambda caller: confirm_erasure(
            erasure_id=erasure.pk, subject=erasure.subject, caller=caller
        ),
        lambda caller: decline_erasure(erasure_id=erasure.pk, caller=caller),
        hold,
    ):
        with pytest.raises(Forbidden):
            act(Caller.of_session(auditor))


@pytest.mark.parametrize(
    ("scope", "target", "held"),
    [
        (HoldScope.EVERYTHING, "", True),
        (HoldScope.PERSON, "7", True),
        (HoldScope.PERSON, "8", False),
        (HoldScope.AGENT, "refund-desk", True),
        (HoldScope.AGENT, "another", False),
        (HoldScope.REQUEST, "01a1fae6-52ea-7d20-9c84-529a0f2dd01c", True),
        (HoldScope.RUN, "01a1fae6-52ea-7d20-9c84-529a0f2dd01d", True),
        (HoldScope.RUN, "01a1fae6-52ea-7d20-9c84-529a0f2dd01c", False),
    ],
)
def test_a_hold_covers_the_subject_and_events_that_keep_something_about_it(
    recorded: Record,
    keeper: Caller,
    second_keeper: Caller,
    scope: HoldScope,
    target: str,
    held: bool,
) -> None:
    from uuid import UUID

    from audit.schemas import AgentRef

    recorded(
        type="request.commented",
        request=UUID("01a1fae6-52ea-7d20-9c84-529a0f2dd01c"),
        run=UUID("01a1fae6-52ea-7d20-9c84-529a0f2dd01d"),
        agent=AgentRef("refund-desk"),
        disclosures=[Disclose("comment", "charged twice", "person:7")],
    )
    recorded(agent=AgentRef("another"))
    erasure = propose(keeper)
    hold(keeper, scope, target)
    if held:
        with pytest.raises(OnHold, match="case 17"):
            confirm_erasure(erasure_id=erasure.pk, subject=erasure.subject, caller=second_keeper)
        (refused,) = bodies("redaction.refused")
        assert refused["outcome"] == {"decision": "refused", "reason_code": "on_hold"}
    else:
        confirm_erasure(erasure_id=erasure.pk, subject=erasure.subject, caller=second_keeper)
    assert Disclosure.objects.filter(key__subject="person:7").exists() is held


def test_a_hold_that_is_lifted_holds_nothing(
    told: Event, keeper: Caller, second_keeper: Caller
) -> None:
    set_by = hold(keeper)
    with pytest.raises(OnHold):
        propose(keeper)
    (refused,) = bodies("redaction.refused")
    assert refused["outcome"] == {"decision": "refused", "reason_code": "on_hold"}
    lift_hold(hold_id=set_by.pk, caller=second_keeper)
    with pytest.raises(HoldLifted):
        lift_hold(hold_id=set_by.pk, caller=second_keeper)
    propose(keeper)
    assert [body["facts"]["hold"] for body in bodies("hold.set") + bodies("hold.lifted")] == [  # type: ignore[index]
        str(set_by.pk),
        str(set_by.pk),
    ]


def test_a_hold_of_a_time_covers_events_of_that_time(
    told: Event, keeper: Caller, second_keeper: Caller
) -> None:
    erasure = propose(keeper)
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    set_hold(
        matter="case 17",
        why="A suit.",
        scope=HoldScope.PERSON,
        target="7",
        until=long_ago,
        caller=keeper,
    )
    confirm_erasure(erasure_id=erasure.pk, subject=erasure.subject, caller=second_keeper)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("matter", {"matter": " "}),
        ("why", {"why": ""}),
        ("target", {"scope": HoldScope.PERSON}),
        ("target", {"target": "7"}),
        ("target", {"scope": HoldScope.RUN, "target": "7"}),
        ("target", {"scope": HoldScope.PERSON, "target": "nobody-here"}),
        ("target", {"scope": HoldScope.PERSON, "target": "person:7"}),
        ("target", {"scope": HoldScope.AGENT, "target": "Refund desk"}),
        ("until", {"since": NOON, "until": NOON}),
        ("until", {"since": NOON, "until": NOON - dt.timedelta(days=1)}),
    ],
)
def test_a_hold_says_what_it_covers(keeper: Caller, field: str, given: dict[str, object]) -> None:
    wish = {"matter": "case 17", "why": "A suit.", "scope": HoldScope.EVERYTHING} | given
    with pytest.raises(BadHold) as refused:
        set_hold(caller=keeper, **wish)  # type: ignore[arg-type]
    assert refused.value.problems[0]["field"] == field


def test_a_hold_on_a_run_names_it_as_events_do(keeper: Caller) -> None:
    typed = "01A1FAE652EA7D209C84529A0F2DD01D"
    assert hold(keeper, HoldScope.RUN, typed).target == "01a1fae6-52ea-7d20-9c84-529a0f2dd01d"


def test_the_matter_of_a_hold_stands_apart_from_the_event(keeper: Caller) -> None:
    hold(keeper, HoldScope.PERSON, "7")
    event = Event.objects.get(type="hold.set")
    assert b"case 17" not in bytes(event.body)
    assert len(orjson.loads(bytes(event.body))["_sd"]) == 2


def test_the_whole_way_in_the_browser(
    client: Client, login: Login, told: Event, keeper: Caller, second_keeper: Caller
) -> None:
    first = login(client, keeper.user)
    given = {"subject": "person:7", "reason": "asked"}
    said = unescape(first.post(reverse("audit-erasure-list"), given, follow=True).content.decode())
    assert "You proposed this. Somebody else has to confirm it." in said
    erasure = Erasure.objects.get()
    address = reverse("audit-erasure", args=[erasure.pk])

    second = login(Client(), second_keeper.user)
    wrong = second.post(address, {"act": "confirm", "typed": "person:8"})
    assert wrong.status_code == 422
    assert "Type exactly: person:7" in wrong.content.decode()
    assert Disclosure.objects.filter(event=told.pk).exists()
    done = second.post(address, {"act": "confirm", "typed": "person:7"}, follow=True)
    assert "Every event and every proof stays" in done.content.decode()
    assert not Disclosure.objects.filter(event=told.pk).exists()


def test_a_person_is_erased_by_their_user_name(
    client: Client, login: Login, recorded: Record, keeper: Caller, second_keeper: Caller
) -> None:
    whom = person("ada")
    User.objects.filter(pk=whom.pk).update(display_name="Ada Ames")
    apart = [Disclose("comment", "charged twice", f"person:{whom.pk}")]
    event = recorded(type="request.commented", stream="policy", disclosures=apart)
    address = reverse("audit-erasure", args=[propose(keeper, f"person:{whom.pk}").pk])
    page = login(client, second_keeper.user)
    shown = page.get(address).content.decode()
    assert "Erase what is kept apart about Ada Ames" in shown
    assert "To confirm, type ada<" in shown
    assert page.post(address, {"act": "confirm", "typed": "Ada Ames"}).status_code == 422
    assert Disclosure.objects.filter(event=event.pk).exists()
    done = page.post(address, {"act": "confirm", "typed": "ada"}, follow=True).content.decode()
    assert "What was kept apart about Ada Ames is erased</h1>" in done
    assert not Disclosure.objects.filter(event=event.pk).exists()


def test_holds_are_set_and_lifted_in_the_browser(
    client: Client, login: Login, keeper: Caller, auditor: User
) -> None:
    page, address = login(client, keeper.user), reverse("audit-hold-list")
    given = {"matter": "case 17", "why": "A suit.", "scope": "person", "target": "keeper"}
    assert "The hold stands" in page.post(address, given, follow=True).content.decode()
    found = Hold.objects.get()
    assert found.target == keeper.actor.id
    wrong = page.post(address, given | {"target": ""})
    assert (wrong.status_code, "Say which." in wrong.content.decode()) == (422, True)

    reader = login(Client(), auditor)
    assert "case 17" in reader.get(address).content.decode()
    assert reader.post(address, given).status_code == 403
    assert reader.post(reverse("audit-hold-lift", args=[found.pk])).status_code == 403
    assert reader.get(reverse("audit-erasure-list")).status_code == 403
    lifted = page.post(reverse("audit-hold-lift", args=[found.pk]), follow=True)
    assert "is lifted" in lifted.content.decode()
    found.refresh_from_db()
    assert found.lifted_at is not None
