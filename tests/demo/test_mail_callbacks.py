"""The demo's mail: accepted by its provider, then confirmed or bounced by a signed callback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest

from accounts.models import User
from agents.models import EffectRecord
from agents.registry import get
from agents.webhooks import is_signed
from audit.clock import database_now
from demo.errors import ProviderBusy
from demo.models import Order
from demo.payments import PaymentProvider
from tests.demo.running_provider import Process, running
from tests.harness.client import ApiClient
from tests.harness.stack import Stack

SECRET = "whsec_" + "bWFpbGJveA" * 4
Heard = tuple[dict[str, str], bytes]


@pytest.fixture
def listener() -> Iterator[tuple[str, Queue[Heard], list[int]]]:
    """A shop that hears callbacks: its address, what it heard, and what it answers first."""
    heard: Queue[Heard] = Queue()
    answers: list[int] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", heard, answers
    server.shutdown()
    server.server_close()


@pytest.fixture
def carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """A provider that signs its callbacks."""
    monkeypatch.setenv("COUNTERSIGN_CALLBACK_SECRETS", json.dumps({"demo-mail": [SECRET]}))
    with running(tmp_path / "carrier") as process:
        yield process


@pytest.mark.parametrize(
    ("recipient", "state"), [("a@acme.example", "confirmed"), ("bounce@acme.example", "bounced")]
)
def test_a_mail_is_accepted_and_its_fate_is_told_signed(
    db: None, carrier: Process, listener: Any, recipient: str, state: str
) -> None:
    callback, heard, _ = listener
    client = PaymentProvider(carrier.url)
    reference = client.hand_over_mail(key="key-1", recipient=recipient, callback=callback)
    headers, body = heard.get(timeout=20)
    said = json.loads(body)
    assert (said["reference"], said["state"]) == (reference, state)
    assert is_signed(
        (SECRET,),
        id=headers["webhook-id"],
        timestamp=headers["webhook-timestamp"],
        signatures=headers["webhook-signature"],
        body=body,
        now=database_now(),
    )


def test_a_callback_that_is_asked_to_come_again_comes_again(
    carrier: Process, listener: Any
) -> None:
    callback, heard, answers = listener
    answers += [503, 503]
    PaymentProvider(carrier.url).hand_over_mail(
        key="key-1", recipient="a@acme.example", callback=callback
    )
    assert len({heard.get(timeout=20)[1] for _ in range(3)}) == 1


def test_without_a_secret_nothing_is_carried(provider: Process) -> None:
    with pytest.raises(ProviderBusy):
        PaymentProvider(provider.url).hand_over_mail(
            key="key-1", recipient="a@acme.example", callback="http://127.0.0.1:1/"
        )


def test_a_mail_of_the_product_bounces_through_its_own_door(
    stack: Callable[..., Stack], operator: User, reviewer: User
) -> None:
    site = stack().run()
    customer = Order.objects.select_related("customer").get(number="ORD-10005").customer
    customer.email = "bounce@acme.example"
    customer.save()
    program, person = ApiClient(site, operator), ApiClient(site, reviewer)
    run = program.start("refund-desk", get("refund-desk").examples[5].input)

    def mail() -> EffectRecord | None:
        for request in person.pending():
            assert person.decide(request, "approve")[0] in (200, 409)
        return EffectRecord.objects.filter(run=run, provider="demo-mail", state="bounced").first()

    effect = site.wait_for(mail, 60, "the mail has bounced")
    assert effect is not None
    assert effect.callbacks[0]["detail"].startswith("550")
    steps = program.get(f"runs/{run}/steps")["items"]
    (told,) = [step["output"] for step in steps if step["name"] == "send_email"]
    assert told["status"] == "accepted"
