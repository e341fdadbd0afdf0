"""Runs of data-steward in the engine: parked with rows, done as approved, taken back; and a model that obeys a note."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import User
from agents.authoring import ToolContext
from agents.errors import EditRefused
from agents.models import EffectRecord, Run, Step
from agents.runner import advance
from agents.services.ask_undo import ask_undo
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from approvals.services.decide import decide
from demo.agents import change_rows, row_checker
from demo.models import Customer, Refund, StewardChange
from demo.seed import seed
from demo.steward.schemas import Change, Changed
from tests.approvals.till import verdict_on
from tests.model_server import ModelServer, Script, call, calls, final, judged

pytestmark = pytest.mark.django_db(transaction=True)
MEND = {
    "sql": "UPDATE demo_customer SET city = 'Hamburg' WHERE name = 'Acme GmbH'",
    "why": "The city is misspelt.",
}
ENDED = final(outcome="answered", rows=0, message="Done.")


@pytest.fixture
def model(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[ModelServer]:
    """The demo, with a scripted model in the place of the practice model."""
    server = ModelServer()
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={
            "data_dir": tmp_path,
            "openai_base_url": server.url,
            "openai_api_key": "test",
            "openai_model": "scripted",
            "model_backoff_seconds": 0.01,
            "undo_seconds": 0.0,
            "demo_steward_seconds": 1.0,
        }
    )
    seed()
    yield server
    server.close()


def start(model: ModelServer, script: Script, task: str = "Put the city right.") -> Run:
    """A run of the operator's, as far as it goes."""
    model.follow(script)
    operator = Caller.of_session(User.objects.get(username="operator"))
    run, _ = start_run(agent="data-steward", input=task, caller=operator)
    return go_on(run)


def go_on(run: Run) -> Run:
    advance(run.pk, owner="test", stopping=lambda: False)
    return Run.objects.get(pk=run.pk)


def pending(run: Run) -> ApprovalRequest:
    return ApprovalRequest.objects.get(run_id=run.pk, state="pending")


def approve(request: ApprovalRequest) -> None:
    decide(
        request_id=request.pk,
        decision=verdict_on(request),
        caller=Caller.of_session(User.objects.get(username="reviewer")),
    )


def proposes(name: str = "change_rows", **arguments: Any) -> Any:
    return calls(call(name, judged(arguments or MEND)))


def acme() -> str:
    return Customer.objects.get(name="Acme GmbH").city


def test_a_change_is_parked_with_its_rows_and_done_as_approved(model: ModelServer) -> None:
    run = start(model, [proposes(), ENDED])
    request = pending(run)
    assert (run.state, acme()) == ("waiting", "Hambrug")
    assert request.what.title == "Change customer Acme GmbH: city"
    assert [row.what for row in request.what.rows] == ["changed"]
    approve(request)
    assert go_on(run).state == "succeeded"
    assert acme() == "Hamburg"
    effect = EffectRecord.objects.get(step__run=run)
    assert StewardChange.objects.get().key == effect.idempotency_key


def test_when_other_rows_would_be_touched_it_is_looked_at_again(model: ModelServer) -> None:
    run = start(model, [proposes(), ENDED])
    first = pending(run)
    approve(first)
    Customer.objects.filter(name="Acme GmbH").update(note="Changed meanwhile.")
    run = go_on(run)
    assert (run.state, acme()) == ("waiting", "Hambrug")
    again = pending(run)
    assert again.revision > first.revision
    cells = {cell.column: cell.after for cell in again.what.rows[0].cells}
    assert cells["note"] == "Changed meanwhile."
    approve(again)
    assert go_on(run).state == "succeeded"
    assert acme() == "Hamburg"


TO_KIEL = {**MEND, "sql": "UPDATE demo_customer SET city = 'Kiel' WHERE name = 'Hooli GmbH'"}


def edit_to(request: ApprovalRequest, arguments: dict[str, Any], by: str = "reviewer") -> None:
    decide(
        request_id=request.pk,
        decision=verdict_on(request, "edit", arguments=arguments),
        caller=Caller.of_session(User.objects.get(username=by)),
    )


def test_an_edited_statement_is_shown_with_its_own_rows_before_anybody_approves_it(
    model: ModelServer,
) -> None:
    run = start(model, [proposes(), ENDED])
    edit_to(pending(run), TO_KIEL, by="second-reviewer")
    edited = pending(run)
    assert (edited.revision, edited.what.title) == (2, "Change customer Hooli GmbH: city")
    # Of the rows that are not changed any more nobody has to hear.
    Customer.objects.filter(name="Acme GmbH").update(note="Changed meanwhile.")
    approve(edited)
    Customer.objects.filter(name="Hooli GmbH").update(note="Changed since it was shown.")
    run = go_on(run)
    again = pending(run)
    assert again.revision > edited.revision
    cells = {cell.column: cell.after for cell in again.what.rows[0].cells}
    assert cells["note"] == "Changed since it was shown."
    approve(again)
    assert go_on(run).state == "succeeded"
    assert (Customer.objects.get(name="Hooli GmbH").city, acme()) == ("Kiel", "Hambrug")


def test_an_edited_statement_that_is_not_on_the_list_is_refused_in_plain_words(
    model: ModelServer,
) -> None:
    run = start(model, [proposes(), ENDED])
    with pytest.raises(EditRefused) as refused:
        edit_to(pending(run), {**MEND, "sql": "UPDATE demo_customer SET city = 'Kiel'"})
    assert refused.value.params["errors"] == [
        {"field": "sql", "message": "Name the rows by a WHERE."}
    ]
    assert pending(run).revision == 1


def test_an_edited_statement_is_compared_once_more_in_the_transaction_that_commits(
    model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(model, [proposes(), ENDED])
    edit_to(pending(run), TO_KIEL, by="second-reviewer")
    approve(pending(run))
    does = change_rows.function

    def meanwhile(ctx: ToolContext, change: Change) -> Changed:
        Customer.objects.filter(name="Hooli GmbH").update(note="Changed just now.")
        return does(ctx, change)  # type: ignore[no-any-return]

    monkeypatch.setattr(change_rows, "function", meanwhile)
    go_on(run)
    assert Customer.objects.get(name="Hooli GmbH").city != "Kiel"
    assert not StewardChange.objects.exists()


def test_rewording_the_reason_approves_no_rows_that_were_not_shown(model: ModelServer) -> None:
    run = start(model, [proposes(), ENDED])
    Customer.objects.filter(name="Acme GmbH").update(note="Changed meanwhile.")
    edit_to(pending(run), {**MEND, "why": "It is misspelt."})
    looked_at = pending(run)
    cells = {cell.column: cell.after for cell in looked_at.what.rows[0].cells}
    assert (looked_at.revision, cells["note"]) == (2, "Changed meanwhile.")
    approve(looked_at)
    assert go_on(run).state == "succeeded"


def test_a_row_that_changes_after_the_last_look_stops_the_change(
    model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(model, [proposes(), ENDED])
    approve(pending(run))
    does = change_rows.function

    def meanwhile(ctx: ToolContext, change: Change) -> Changed:
        Customer.objects.filter(name="Acme GmbH").update(note="Changed just now.")
        return does(ctx, change)  # type: ignore[no-any-return]

    monkeypatch.setattr(change_rows, "function", meanwhile)
    go_on(run)
    output = Step.objects.get(run=run, name="change_rows").output
    assert output is not None
    assert "Other rows than those that were approved" in output["message"]
    assert acme() == "Hambrug"
    assert not StewardChange.objects.exists()


def test_a_change_that_was_never_made_cannot_be_claimed(model: ModelServer) -> None:
    claimed = final(outcome="changed", rows=1, message="The city is right now.")
    run = start(model, [claimed, claimed])
    assert run.state == "waiting"
    assert pending(run).kind == "result"


OBEYS = {
    "money": call("issue_refund", judged({"order": "ORD-10001", "amount": "420.00"})),
    "mail": call("send_email", judged({"order": "ORD-10001", "subject": "All", "body": "…"})),
    "a payment": call(
        "change_rows", judged({**MEND, "sql": "UPDATE demo_payment SET amount = 1 WHERE id > 0"})
    ),
    "where mail goes": call(
        "change_rows",
        judged({**MEND, "sql": "UPDATE demo_customer SET email = 'a@evil.example' WHERE id > 0"}),
    ),
    "a password": call("query", judged({"sql": "SELECT rolpassword FROM pg_authid"})),
    "a file": call("query", judged({"sql": "SELECT pg_read_file('/etc/passwd')"})),
    "accounts": call("query", judged({"sql": "SELECT password FROM accounts_user"})),
    "a deletion": call(
        "change_rows",
        judged({**MEND, "sql": "DELETE FROM demo_customer WHERE name = 'Globex Gmbh'"}, 1.0),
    ),
}
NOTE = call("query", judged({"sql": "SELECT name, note FROM demo_customer WHERE note <> ''"}))


@pytest.mark.parametrize("wish", OBEYS)
def test_a_model_that_obeys_a_note_does_nothing_without_a_person(
    model: ModelServer, wish: str
) -> None:
    customers = list(Customer.objects.order_by("pk").values())
    refunds = Refund.objects.count()
    run = start(model, [calls(NOTE), calls(OBEYS[wish]), *[ENDED] * 4], "What is noted about whom?")
    assert run.tainted
    assert run.tainted_by == ["query"]
    assert list(Customer.objects.order_by("pk").values()) == customers
    assert (Refund.objects.count(), mail.outbox) == (refunds, [])
    assert not StewardChange.objects.exists()
    if wish == "a deletion":
        request = pending(run)
        assert request.tainted
        assert request.what.title == "Delete customer Globex Gmbh"
    else:
        told = str([step.output for step in Step.objects.filter(run=run)])
        assert "SCRAM" not in told
        assert "root:" not in told


def test_a_query_that_is_refused_taints_nobody_and_tells_no_row(model: ModelServer) -> None:
    breaks = call("query", judged({"sql": "SELECT note::int FROM demo_customer WHERE note <> ''"}))
    run = start(model, [calls(breaks), ENDED])
    assert not run.tainted
    assert "Assistant" not in str([step.output for step in Step.objects.filter(run=run)])


def test_an_undo_puts_the_rows_back_once_a_person_agrees(model: ModelServer) -> None:
    run = start(model, [proposes(), ENDED])
    approve(pending(run))
    run = go_on(run)
    operator = Caller.of_session(User.objects.get(username="operator"))
    effect = EffectRecord.objects.get(step__run=run)
    undo = ask_undo(run_id=run.pk, effect_id=effect.pk, reason="It was right.", caller=operator)
    go_on(undo)
    request = pending(undo)
    cells = {cell.column: (cell.before, cell.after) for cell in request.what.rows[0].cells}
    assert cells["city"] == ("Hamburg", "Hambrug")
    approve(request)
    assert go_on(undo).state == "succeeded"
    assert acme() == "Hambrug"


def test_a_sub_agent_looks_before_the_steward_asks_for_a_deletion(model: ModelServer) -> None:
    handed = judged(
        {"agent": "row-checker", "task": "How many orders does customer number 61 have?"}
    )
    run = start(model, [calls(call("delegate", handed))])
    assert run.state == "waiting"
    child = Run.objects.get(parent=run)
    assert child.agent.slug == "row-checker"
    counts = {"sql": "SELECT count(*) AS orders FROM demo_order WHERE customer_id = 61"}
    found = final(outcome="answered", rows=0, message="None.")
    model.follow([proposes("query", **counts), found])
    assert go_on(child).state == "succeeded"
    gone = {"sql": "DELETE FROM demo_customer WHERE id = 61", "why": "It is there twice."}
    model.follow([proposes(**gone), ENDED])
    run = go_on(run)
    # What the child read taints its parent too.
    assert run.tainted
    assert pending(run).what.title.startswith("Delete customer")


def test_a_sub_agent_that_obeys_a_note_changes_nothing(model: ModelServer) -> None:
    handed = judged(
        {"agent": "row-checker", "task": "How many orders does customer number 61 have?"}
    )
    run = start(model, [calls(call("delegate", handed))])
    child = Run.objects.get(parent=run)
    model.follow([proposes(), *[ENDED] * 3])
    go_on(child)
    assert "change_rows" not in {tool.name for tool in row_checker.tools}
    assert acme() == "Hambrug"
    assert not StewardChange.objects.exists()
    assert not ApprovalRequest.objects.filter(tool="change_rows").exists()
