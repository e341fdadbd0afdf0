"""Checkpoints and proofs for programs: what they say can be checked with the hashes alone."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from audit.errors import NotFound
from audit.merkle.notes import VerifierKey, opened
from audit.merkle.proofs import root_from_inclusion, verify_consistency
from audit.models import Checkpoint, Leaf
from audit.services.checkpoints import LogDamaged, NotSealedYet, inclusion_paths, prove_event
from audit.services.seal import seal
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record

Login = Callable[[Client, User], Client]
pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)
AUDIT = "/api/v1/audit"


def decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def got(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_an_auditor_proves_events_and_growth_with_nothing_but_hashes(
    client: Client, login: Login, auditor: User, recorded: Record, machine: Path
) -> None:
    login(client, auditor)
    assert client.get(f"{AUDIT}/checkpoint").json()["code"] == "no_checkpoint"
    events = [recorded(stream="policy") for _ in range(4)]
    assert client.get(f"{AUDIT}/events/{events[0].pk}/proof").json()["code"] == "not_sealed_yet"
    seal()
    older = got(client.get(f"{AUDIT}/checkpoint"))
    events += [recorded(stream="policy") for _ in range(3)]
    seal()
    newest = got(client.get(f"{AUDIT}/checkpoint"))
    said = opened(newest["note"], [VerifierKey.read(key) for key in newest["keys"]])
    assert (newest["origin"], newest["size"], decoded(newest["root"])) == said
    for event in events:
        proof = got(client.get(f"{AUDIT}/events/{event.pk}/proof"))
        assert proof["checkpoint"] == newest
        leaf = decoded(proof["leaf_hash"])
        assert leaf == bytes(event.leaf_hash)
        path = [decoded(each) for each in proof["path"]]
        assert root_from_inclusion(leaf, proof["index"], said.size, path) == said.root
    under_older = got(client.get(f"{AUDIT}/events/{events[0].pk}/proof", {"size": older["size"]}))
    assert under_older["checkpoint"] == older
    grown = got(
        client.get(f"{AUDIT}/consistency", {"first": newest["size"], "second": older["size"]})
    )
    assert (grown["first"], grown["second"]) == (older, newest)
    verify_consistency(
        older["size"],
        decoded(older["root"]),
        newest["size"],
        said.root,
        [decoded(each) for each in grown["path"]],
    )
    for refused, code in (
        (
            client.get(f"{AUDIT}/events/{events[-1].pk}/proof", {"size": older["size"]}),
            "not_sealed_yet",
        ),
        (client.get(f"{AUDIT}/checkpoint", {"size": 1}), "no_checkpoint"),
        (client.get(f"{AUDIT}/consistency", {"first": 1, "second": 2}), "no_checkpoint"),
        (client.get(f"{AUDIT}/events/01890a5d-ac96-774b-bcce-b302099a8057/proof"), "not_found"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (404, code)


@pytest.mark.django_db(transaction=False)
def test_who_may_not_read_the_log_gets_no_proof(
    client: Client, login: Login, reviewer: User, recorded: Record
) -> None:
    login(client, reviewer)
    event = recorded()
    for address in ("checkpoint", f"events/{event.pk}/proof", "consistency?first=1&second=2"):
        assert client.get(f"{AUDIT}/{address}").status_code == 403


def test_the_proofs_of_many_leaves_take_one_statement(
    recorded: Record, machine: Path, django_assert_num_queries: Any
) -> None:
    for _ in range(20):
        recorded(stream="policy")
    seal()
    with django_assert_num_queries(1):
        paths = inclusion_paths(range(22), 22)
    assert len(paths) == 22


def test_what_does_not_lead_to_the_signed_root_is_not_proved_and_the_page_says_so(
    client: Client,
    login: Login,
    auditor: User,
    recorded: Record,
    machine: Path,
    attacker: Attacker,
) -> None:
    login(client, auditor)
    events = [recorded(stream="policy") for _ in range(4)]
    seal()
    one, other = (reverse("audit-event", args=[event.pk]) for event in events[:2])
    attacker.does(
        "UPDATE audit_event SET body = convert_to(replace(convert_from(body, 'UTF8'), 'claimed', 'decided'), "
        "'UTF8') WHERE id = %s",
        events[0].pk,
    )
    refused = client.get(f"{AUDIT}/events/{events[0].pk}/proof")
    assert (refused.status_code, refused.json()["code"]) == (409, "log_damaged")
    assert "does not lead to the root that was signed" in client.get(one).content.decode()
    assert "Inclusion proof" in client.get(other).content.decode()
    recorded()
    seal()
    attacker.does("DELETE FROM audit_tile")
    assert "cannot be proved: Tile 0 of level 0" in client.get(other).content.decode()
    first, second = Checkpoint.objects.order_by("size").values_list("size", flat=True)
    refused = client.get(f"{AUDIT}/consistency", {"first": first, "second": second})
    assert (refused.status_code, refused.json()["code"]) == (409, "log_damaged")


def test_nobody_learns_from_a_proof_that_an_event_is_there(
    outsider: User,
    auditor: User,
    recorded: Record,
    machine: Path,
    attacker: Attacker,
    client: Client,
    login: Login,
) -> None:
    sealed, deleted = recorded(stream="policy"), recorded(stream="policy")
    seal()
    assert prove_event(sealed.pk, viewer=auditor).index == 0
    attacker.does("DELETE FROM audit_event WHERE id = %s", deleted.pk)
    for event in (sealed, deleted):
        with pytest.raises(NotFound, match="There is no such event"):
            prove_event(event.pk, viewer=outsider)
    # Whoever reads the log learns that somebody deleted it.
    with pytest.raises(LogDamaged, match="was sealed as leaf 1 and is not there any more"):
        prove_event(deleted.pk, viewer=auditor)
    login(client, auditor)
    page = client.get(reverse("audit-event", args=[deleted.pk])).content.decode()
    assert "somebody deleted it" in page
    assert bytes(Leaf.objects.get(event=deleted.pk).leaf_hash).hex() in page
    login(client, outsider)
    assert client.get(reverse("audit-event", args=[deleted.pk])).status_code == 403


def test_what_no_checkpoint_covers_is_not_proved_yet(
    auditor: User, recorded: Record, machine: Path, attacker: Attacker
) -> None:
    first = recorded(stream="policy")
    seal()
    older = Checkpoint.objects.get().size
    next_one = recorded(stream="policy")
    seal()
    # Its place is the very next one after those that the older checkpoint covers.
    assert prove_event(next_one.pk, viewer=auditor).index == older
    with pytest.raises(NotSealedYet):
        prove_event(next_one.pk, viewer=auditor, size=older)
    attacker.does("DELETE FROM audit_checkpoint")
    with pytest.raises(NotSealedYet):
        prove_event(first.pk, viewer=auditor)
