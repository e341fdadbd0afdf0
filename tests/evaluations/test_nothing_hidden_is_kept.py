"""A case made from a run holds no sensitive value and no secret, whoever makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.test import Client
from pydantic import BaseModel, ConfigDict
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from agents import registry
from agents.authoring import Agent, Category, Effect, Risk, ToolContext, Trust, tool
from agents.models import Run
from agents.runner import advance
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from approvals.services.decide import decide
from evaluations.models import SavedCase
from tests.agents.conftest import host, model  # noqa: F401
from tests.approvals.till import verdict_on
from tests.harness.people import person
from tests.model_server import ModelServer, call, calls, final, judged

SECRET = "sk-tulip-granite-7731"
ACCOUNT = "NL91ABNA0417164300"


class Transfer(BaseModel):
    """Money to an account."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    account: str
    amount: int


@tool(
    risk=Risk.HIGH,
    effects={Effect.MONEY},
    reversible=False,
    trust=Trust.TRUSTED,
    sensitive={"account"},
    identity={"account"},
    secrets={"tulip_key"},
)
def transfer(ctx: ToolContext, order: Transfer) -> dict[str, str]:
    """Send money."""
    return {"to": order.account, "with": ctx.secrets["tulip_key"]}


@transfer.preview
def show(ctx: ToolContext, order: Transfer) -> str:
    return f"Send {order.amount}"


@pytest.fixture
def sent(
    db: None,
    settings: Settings,
    operator: User,
    finance: ReviewGroup,
    model: ModelServer,  # noqa: F811
) -> Iterator[Run]:
    """A run whose task, call, result and answer repeat a sensitive value, and whose tool leaked its secret."""
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"tool_secrets": {"tulip_key": SECRET}}
    )
    readers = [
        person(name, "reviewer", "sensitive-reader", groups=(finance,)) for name in ("one", "two")
    ]
    agent = Agent(
        slug="sender",
        title="Sender",
        category=Category.BOUNDED,
        owner="finance",
        instructions="Send.",
        tools=[transfer],
    )
    host(agent)
    model.follow(
        [
            calls(call("transfer", judged({"account": ACCOUNT, "amount": 5}), id="t1")),
            final(summary=f"Sent to {ACCOUNT}.", relies_on=["t1"]),
        ]
    )
    caller = Caller.of_session(operator)
    run, _ = start_run(agent="sender", input=f"Send 5 to {ACCOUNT}.", caller=caller)
    advance(run.pk, owner="test", stopping=lambda: False)
    request = ApprovalRequest.objects.get(run_id=run.pk)
    for reader in readers:
        request.refresh_from_db()
        decision = verdict_on(request)
        decide(request_id=request.pk, decision=decision, caller=Caller.of_session(reader))
    advance(run.pk, owner="test", stopping=lambda: False)
    yield Run.objects.get(pk=run.pk)
    registry.unregister("sender")


def test_what_only_some_may_read_is_in_no_case_and_marks_are_not_saved(
    sent: Run, client: Client, login: object, operator: User
) -> None:
    assert (sent.state, ACCOUNT in json.dumps(sent.input)) == ("succeeded", True)
    all_seeing = person("all-seeing", "admin", "sensitive-reader")
    for who in (operator, all_seeing):
        page = login(client, who)  # type: ignore[operator]
        proposed = page.get(f"/api/v1/runs/{sent.pk}/evaluation-case")
        form = page.get(f"/runs/{sent.pk}/evaluation-case/")
        for answer in (proposed, form):
            assert answer.status_code == 200
            assert SECRET not in answer.content.decode()
            assert ACCOUNT not in answer.content.decode()
        case = proposed.json()["case"]
        assert ACCOUNT not in json.dumps(case)
        assert "[hidden: sensitive]" in json.dumps(case)
        document = form.context["form"].initial["document"]
        assert ACCOUNT not in document
        kept = page.post(
            f"/runs/{sent.pk}/evaluation-case/", {"suite": "sender-cases", "document": document}
        )
        assert kept.status_code == 422
        assert "Write made-up values" in kept.content.decode()
    assert not SavedCase.objects.exists()
    made_up = document.replace("[hidden: sensitive]", "NL00TEST").replace(
        "[secret: tulip_key]", "a-key"
    )
    page.post(f"/runs/{sent.pk}/evaluation-case/", {"suite": "sender-cases", "document": made_up})
    assert SavedCase.objects.get().document["input"]["text"] == "Send 5 to NL00TEST."
