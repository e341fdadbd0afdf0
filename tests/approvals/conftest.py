"""Requests to try things on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import ReviewGroup, User
from accounts.services.create_token import create_token
from approvals import ports
from approvals.gate import judge
from approvals.models import ApprovalRequest
from approvals.schemas import CoinToss, Opening, Preview, ProposedAction, Requirements
from approvals.services.open_request import open_request
from approvals.services.policies import current
from approvals.signals import request_resolved
from approvals.vocabulary import Kind
from audit.actors import Actor
from tests.approvals.till import AGENT, VERSION, Till, context, refund, sure
from tests.harness.people import person


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch) -> Till:
    port = Till()
    monkeypatch.setattr(ports._slot, "runs", port)
    return port


Opener = Callable[..., ApprovalRequest]
As = Callable[..., Client]


@pytest.fixture
def bystanders(finance: ReviewGroup, support: ReviewGroup) -> list[User]:
    """People without a mail address who could decide everything, and who never do."""
    names = ("bystander", "second-bystander", "third-bystander")
    people = [person(name, "reviewer", groups=(finance, support)) for name in names]
    User.objects.filter(pk__in=[each.pk for each in people]).update(email="")
    return people


@pytest.fixture
def opened(
    till: Till,
    operator: User,
    finance: ReviewGroup,
    support: ReviewGroup,
    bystanders: list[User],
) -> Opener:
    """`opened()` opens a refund that one of Support decides; anything can be asked for otherwise."""

    def open_one(
        *,
        amount: str = "20.00",
        needs: Requirements | None = None,
        kind: Kind = Kind.ACTION,
        action: ProposedAction | None = None,
        coin: CoinToss | None = None,
        **changes: Any,
    ) -> ApprovalRequest:
        title = f"Refund €{amount} to Acme GmbH"
        values: dict[str, Any] = {
            "kind": kind,
            "agent": AGENT,
            "agent_title": "Till",
            "agent_version": VERSION,
            "owner_group": "support",
            "initiator": operator.pk,
            "preview": Preview(title=title, subject="Acme GmbH"),
            "sensitive": till.sensitive,
            "cosmetic": till.cosmetic,
        }
        if kind == Kind.ACTION:
            action = action or refund(amount)
            verdict = judge(action, sure(), context(), current())
            if needs is not None:
                assert verdict.requirements is not None
                asked = needs.model_dump(exclude_unset=True)
                filled = verdict.requirements.model_copy(
                    update={name: getattr(needs, name) for name in asked}
                )
                verdict = verdict.model_copy(update={"requirements": filled})
            values |= {
                "action": action,
                "verdict": verdict,
                "context": context(),
                "confidence": sure(),
                "coin": coin,
            }
        else:
            values["requirements"] = needs
        with transaction.atomic():
            return open_request(
                opening=Opening.model_validate(values | changes), actor=Actor.agent(AGENT)
            )

    return open_one


@pytest.fixture
def acting() -> As:
    """`acting(user, *scopes)`: a client that sends a token of the user."""

    def give(user: User, *scopes: str) -> Client:
        made = create_token(
            person=user, name="tests", scopes=scopes or None, caller=Actor.system("tests")
        )
        return Client(headers={"Authorization": f"Bearer {made.bearer}"})

    return give


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """What the runs are told, in order."""
    heard: list[Any] = []

    def listen(sender: object, *, resolution: Any, **_: Any) -> None:
        heard.append(resolution)

    request_resolved.connect(listen, weak=False)
    yield heard
    request_resolved.disconnect(listen)
