"""Salted disclosures, their encryption, reading and erasing them."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from django.db import connection, transaction

from accounts.callers import Caller
from accounts.models import User
from audit.disclosures import (
    CannotOpen,
    WrappingKey,
    bound_to,
    digest_of,
    read,
    salted,
    seal,
    unseal,
)
from audit.errors import Forbidden
from audit.models import Disclosure, Event, SubjectKey
from audit.schemas import Disclose
from audit.services.disclose import TooManyToOpen, disclose
from tests.audit.conftest import Record
from tests.audit.keeping import erase
from tests.audit.sd_jwt_vectors import DISCLOSURES

CallerOf = Callable[[User], Caller]


def test_the_published_disclosures_have_their_digests_and_are_read() -> None:
    for each in DISCLOSURES:
        encoded = each.encoded.encode()
        assert (read(encoded), digest_of(encoded)) == ((each.name, each.value), each.digest)


def test_a_disclosure_holds_salt_name_and_value() -> None:
    made = salted("reason", {"text": "x", "share": 0.5}, salt=bytes(16))
    decoded = json.loads(urlsafe_b64decode(made.encoded + b"=="))
    assert decoded == ["AAAAAAAAAAAAAAAAAAAAAA", "reason", {"text": "x", "share": 0.5}]
    assert made.digest == digest_of(made.encoded)


def test_the_same_value_never_has_the_same_digest() -> None:
    assert len({salted("amount", "42.00").digest for _ in range(50)}) == 50


def test_a_salt_has_128_bits() -> None:
    salt = json.loads(urlsafe_b64decode(salted("a", 1).encoded + b"=="))[0]
    assert len(urlsafe_b64decode(salt + "==")) == 16


def test_a_ciphertext_opens_only_where_it_belongs() -> None:
    key, event = bytes(range(32)), uuid4()
    sealed = seal(key, b"value", bound_to(event, "digest"))
    assert unseal(key, sealed, bound_to(event, "digest")) == b"value"
    for wrong_key, changed, context in (
        (bytes(32), sealed, bound_to(event, "digest")),
        (key, sealed[:-1] + bytes([sealed[-1] ^ 1]), bound_to(event, "digest")),
        (key, sealed, bound_to(uuid4(), "digest")),
        (key, sealed, bound_to(event, "another")),
        (key, b"", bound_to(event, "digest")),
    ):
        with pytest.raises(CannotOpen):
            unseal(wrong_key, changed, context)


@pytest.fixture
def told(recorded: Record, some_request: UUID) -> Event:
    """An event that keeps two people's words apart."""
    return recorded(
        type="request.commented",
        stream=f"request:{some_request}",
        request=some_request,
        disclosures=[
            Disclose("comment", "the customer was charged twice", "person:7"),
            Disclose("customer", {"name": "Acme GmbH"}, "customer:12"),
        ],
    )


def test_an_auditor_reads_what_is_kept_apart(told: Event, auditor: User, caller: CallerOf) -> None:
    found = disclose([told], caller=caller(auditor))[told.id]
    assert [(each.name, each.value, each.subject) for each in found] == [
        ("comment", "the customer was charged twice", "person:7"),
        ("customer", {"name": "Acme GmbH"}, "customer:12"),
    ]


def test_looking_is_an_event(told: Event, auditor: User, caller: CallerOf) -> None:
    disclose([told], caller=caller(auditor))
    looked = Event.objects.get(type="disclosure.read")
    assert looked.actor_id == str(auditor.pk)
    assert orjson.loads(bytes(looked.body))["facts"] == {
        "event": str(told.id),
        "disclosures": 2,
        "names": ["comment", "customer"],
    }


def test_what_too_many_events_keep_apart_is_not_opened_at_once(
    recorded: Record, auditor: User, caller: CallerOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.services.disclose.MOST_AT_ONCE", 2)
    events = [recorded(disclosures=[Disclose("a", 1, "person:7")]) for _ in range(3)]
    with pytest.raises(TooManyToOpen):
        disclose(events, caller=caller(auditor))
    assert not Event.objects.filter(type="disclosure.read").exists()
    disclose(events[:2], caller=caller(auditor))
    assert Event.objects.filter(type="disclosure.read").count() == 2


def test_an_outsider_reads_nothing(told: Event, outsider: User, caller: CallerOf) -> None:
    with pytest.raises(Forbidden):
        disclose([told], caller=caller(outsider))
    assert not Event.objects.filter(type="disclosure.read").exists()


def test_nothing_readable_lies_in_the_database(told: Event) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM audit_disclosure t")
        (rows,) = cursor.fetchone()
    assert "charged" not in rows
    assert b"charged".hex() not in rows


def test_a_subject_keeps_its_key(recorded: Record) -> None:
    for _ in range(3):
        recorded(disclosures=[Disclose("a", 1, "person:7"), Disclose("b", 2, "person:7")])
    assert SubjectKey.objects.filter(subject="person:7").count() == 1
    assert Disclosure.objects.values("key").distinct().count() == 1


def test_redaction_erases_one_subject_and_leaves_the_event(
    told: Event, auditor: User, caller: CallerOf
) -> None:
    before = bytes(told.body), bytes(told.leaf_hash)
    assert erase("person:7").disclosures == 1

    told.refresh_from_db()
    assert (bytes(told.body), bytes(told.leaf_hash)) == before
    assert not SubjectKey.objects.filter(subject="person:7").exists()
    kept, erased = disclose([told], caller=caller(auditor))[told.id]
    assert (kept.name, kept.erased) == ("customer", False)
    assert (erased.name, erased.value, erased.erased) == (None, None, True)


def test_a_subject_can_be_recorded_again_after_redaction(
    told: Event, recorded: Record, auditor: User, caller: CallerOf
) -> None:
    erase("person:7")
    later = recorded(disclosures=[Disclose("comment", "later", "person:7")])
    assert disclose([later], caller=caller(auditor))[later.id][0].value == "later"


def test_a_former_secret_still_opens_what_it_wrapped(
    told: Event, auditor: User, caller: CallerOf, settings: Any
) -> None:
    former = settings.COUNTERSIGN.secret_key
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"secret_key": "a new secret"})
    unreadable = disclose([told], caller=caller(auditor))[told.id]
    assert all("SECRET_KEY_FALLBACKS" in each.problem for each in unreadable)

    settings.SECRET_KEY_FALLBACKS = [former]
    readable = disclose([told], caller=caller(auditor))[told.id]
    assert readable[0].value == "the customer was charged twice"


def test_wrapping_keys_have_names_that_reveal_nothing() -> None:
    one, other = WrappingKey.derived_from("one"), WrappingKey.derived_from("other")
    assert one.name != other.name
    assert one.name not in one.key.hex()


@pytest.mark.django_db(transaction=True)
def test_a_new_subject_met_by_two_writers_blocks_neither(
    superuser_url: str, recorded: Record, auditor: User, caller: CallerOf
) -> None:
    from audit.keyring import keys_for
    from tests.audit.test_streams import in_thread

    with transaction.atomic():
        first = keys_for(["person:9"])["person:9"]
        second = in_thread(lambda: keys_for(["person:9"])["person:9"])
    assert first.id != second.id

    event = recorded(disclosures=[Disclose("comment", "still readable", "person:9")])
    assert disclose([event], caller=caller(auditor))[event.id][0].value == "still readable"
