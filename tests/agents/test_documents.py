"""What the digests in events stand for is found again, byte for byte, and only for those who may read it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest

from accounts.models import User
from agents.models import EffectRecord, Run
from approvals.vocabulary import Verdict
from audit.bundle.evidence import named_in
from audit.canonical import sha256_hex
from audit.document_ports import Reference, documents_for
from audit.keyring import open_disclosure
from audit.models import Disclosure, Event
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.model_server import call, calls, final, judged

PAY = judged({"account": "A1", "amount": "42.00"})


@pytest.fixture
def paid(counter: Counter, bank: Bank, reviewer: User) -> Run:
    """A run whose payment was approved and made."""
    run = counter.start([calls(call("pay", PAY)), final(summary="done")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    return counter.go_on(run)


def spoken_of(run: Run) -> dict[str, Reference]:
    """Every document that the run's events speak of, by digest."""
    found = {}
    for event in Event.objects.filter(run=run.pk):
        rows = Disclosure.objects.filter(event=event.pk).select_related("key")
        body: dict[str, Any] = orjson.loads(bytes(event.body))
        for digest, name in named_in(body, [open_disclosure(row) for row in rows]):
            request = UUID(body["request"]) if "request" in body else None
            found[digest] = Reference(digest, name, request, run.pk)
    return found


def test_every_digest_of_a_paid_run_has_its_document(paid: Run) -> None:
    references = spoken_of(paid)
    assert {each.name for each in references.values()} == {
        "agent",
        "policy",
        "args_sha256",
        "shown_sha256",
        "result_sha256",
    }
    there = documents_for(list(references.values()), sensitive=True)
    assert there.keys() == references.keys()
    assert all(sha256_hex(data) == digest for digest, data in there.items())
    arguments = next(each for each in references.values() if each.name == "args_sha256")
    assert orjson.loads(there[arguments.digest])["arguments"]["account"] == "A1"


def test_a_result_is_bound_into_the_event_of_its_effect(paid: Run) -> None:
    effect = EffectRecord.objects.get(run=paid.pk)
    (result,) = [each for each in spoken_of(paid).values() if each.name == "result_sha256"]
    assert orjson.loads(documents_for([result], sensitive=True)[result.digest]) == effect.result


def test_only_what_is_asked_for_is_handed_out(paid: Run) -> None:
    references = list(spoken_of(paid).values())
    there = documents_for(references[:1], sensitive=True)
    assert there.keys() <= {references[0].digest}
    assert documents_for([], sensitive=True) == {}


def test_a_request_with_sensitive_arguments_needs_the_right_to_read_them(paid: Run) -> None:
    references = list(spoken_of(paid).values())
    assert len(documents_for(references, sensitive=False)) == len(references)
    request = next(each.request for each in references if each.request)
    from approvals.models import ApprovalRequest

    ApprovalRequest.objects.filter(pk=request).update(withheld=["4242"])
    hidden = {each.digest for each in references if each.name == "shown_sha256"}
    assert not hidden & documents_for(references, sensitive=False).keys()
    assert hidden <= documents_for(references, sensitive=True).keys()
