"""A value of a sensitive argument, planted through a real run, is found by nobody who may not read it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from pydantic import BaseModel, ConfigDict
from redis import Redis

from accounts.callers import Caller
from accounts.hints import CHANNEL
from accounts.models import ReviewGroup, User
from accounts.services.create_token import create_token
from agents import registry
from agents.authoring import (
    Agent,
    Category,
    Effect,
    EffectClass,
    Preview,
    Risk,
    Terminal,
    ToolContext,
    Trust,
    tool,
)
from agents.masking import SENSITIVE
from agents.models import Run, Step
from agents.runner import advance
from agents.services.fork_run import Wish, fork_run
from agents.services.message_run import message_run
from agents.services.start_run import start_run
from agents.simulation_errors import ForkHidden
from approvals.errors import SensitiveHidden
from approvals.models import ApprovalRequest, PolicyVersion
from approvals.services.comment import comment
from approvals.services.drafts import begin_draft
from approvals.services.first_mails import send_first
from approvals.services.notify import notify
from approvals.services.policies import current
from approvals.vocabulary import Verdict
from audit import export_file
from audit.actors import Actor
from audit.filters import EventFilter
from audit.models import Event, Export
from audit.services.ask_export import ask_export
from audit.services.write_export import write_export
from tests.agents.conftest import Counter, host
from tests.audit.conftest import SEALING_LOGINS, machine  # noqa: F401
from tests.harness.bundles import evidence_for, texts_of
from tests.harness.people import person
from tests.model_server import Answer, call, calls, completion, final

Login = Callable[[Client, User], Client]

#: With a quote, so that it looks different in HTML and in JSON; `PLANT` stands in each of these forms.
FIRST, SECOND = 'Zer"berus-4711', "Orthos-8822"
PLANTS = ("berus-4711", "orthos-8822")


class Transfer(BaseModel):
    """Money to somebody."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    recipient: str
    amount: Decimal


class Name(BaseModel):
    """Somebody to look for."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str


@pytest.fixture
def vault(db: None, finance: ReviewGroup) -> Iterator[str]:
    """An agent with a tool whose recipient is sensitive, and one that repeats what it is given."""

    @tool(
        risk=Risk.HIGH,
        effects={Effect.MONEY},
        reversible=True,
        effect_class=EffectClass.IDEMPOTENT,
        sensitive={"recipient"},
        trust=Trust.TRUSTED,
    )
    def transfer(ctx: ToolContext, transfer: Transfer) -> dict[str, str]:
        """Send money."""
        if transfer.amount == 13:
            raise Terminal(f"{transfer.recipient} takes no money")
        if transfer.amount == 14:
            raise ValueError(transfer.recipient)
        return {"sent to": transfer.recipient, transfer.recipient: "sent"}

    @transfer.preview
    def show(ctx: ToolContext, transfer: Transfer) -> Preview:
        if transfer.amount == 15:
            raise ValueError(transfer.recipient)
        to = transfer.recipient
        return Preview(
            title=f"Send {transfer.amount} to {to}", summary=to, subject=to, warnings=(to,)
        )

    @tool(risk=Risk.LOW, trust=Trust.TRUSTED)
    def look_for(ctx: ToolContext, name: Name) -> dict[str, str]:
        """Look for somebody."""
        return {"found": f"{name.name}, once", name.name: "here"}

    @tool(
        risk=Risk.HIGH,
        effects={Effect.EXTERNAL_COMMUNICATION},
        reversible=True,
        effect_class=EffectClass.IDEMPOTENT,
    )
    def write_to(ctx: ToolContext, name: Name) -> str:
        """Write to somebody."""
        return "written"

    @write_to.preview
    def show_letter(ctx: ToolContext, name: Name) -> str:
        return f"Write to {name.name}"

    host(
        Agent(
            slug="vault",
            title="Vault",
            category=Category.BOUNDED,
            owner="finance",
            instructions="You keep the vault.",
            tools=[transfer, look_for, write_to],
        )
    )
    yield "vault"
    registry.unregister("vault")


def sends(amount: Any, recipient: str = FIRST, **more: Any) -> dict[str, Any]:
    """A call that sends money, with a rationale that says to whom."""
    given = {"recipient": recipient, "amount": amount, "confidence": 0.99}
    return call("transfer", {**given, "rationale": f"to {recipient.upper()}", **more})


def saying(*made: dict[str, Any]) -> Answer:
    return completion({"content": f"For {FIRST} and {SECOND}!", "tool_calls": list(made)})


@pytest.fixture
def trusted(reviewer: User) -> User:
    """A reviewer who may read sensitive arguments."""
    groups = tuple(reviewer.review_groups.all())
    return person("trusted", "reviewer", "sensitive-reader", groups=groups)


@pytest.fixture
def eyes(
    reviewer: User, operator: User, admin: User, auditor: User, finance: ReviewGroup
) -> list[User]:
    """Everybody who sees the run and its requests, and none of them sensitive arguments."""
    granter = person("granter", "reviewer", "sticky-approver", groups=(finance,))
    return [reviewer, operator, admin, auditor, granter, person("owner", groups=(finance,))]


def begun(counter: Counter, *script: Answer, text: str = f"Send 7 to {FIRST}.") -> Run:
    counter.model.follow(list(script))
    run, _ = start_run(agent="vault", input=text, caller=Caller.of_session(counter.operator))
    advance(run.pk, owner="test", stopping=lambda: False)
    return Run.objects.get(pk=run.pk)


def pages_of(run: Run) -> Iterator[str]:
    """Every address at which something of the run is shown."""
    for tab in ("mine", "team", "decided"):
        yield f"/inbox/?tab={tab}"
    yield from ("/inbox/rows/?tab=team", "/runs/", "/agents/vault/", "/audit/")
    yield from ("/policies/sticky/", "/agents/vault/memory/", "/agents/vault/limits/")
    for draft in PolicyVersion.objects.open_drafts():
        yield f"/policies/drafts/{draft.pk}/try/"
        for request in ApprovalRequest.objects.filter(run_id=run.pk):
            yield f"/policies/drafts/{draft.pk}/try/?request={request.pk}"
    asked = ApprovalRequest.objects.filter(run_id=run.pk)
    ids = "&".join(f"id={pk}" for pk in asked.values_list("pk", flat=True))
    yield from (f"/inbox/batch/?verdict={verdict}&{ids}" for verdict in ("approve", "reject"))
    yield f"/runs/{run.pk}/"
    yield f"/runs/{run.pk}/steps/"
    yield f"/runs/{run.pk}/replay/"
    for step in Step.objects.filter(run=run):
        yield f"/runs/{run.pk}/steps/{step.seq}/"
    for request in ApprovalRequest.objects.filter(run_id=run.pk):
        yield f"/requests/{request.pk}/"
        yield f"/requests/{request.pk}/sticky/"
        if request.state == "pending":
            mode = "answer" if request.kind == "question" else "edit"
            yield f"/requests/{request.pk}/?tab=team&mode={mode}"


def events_of(run: Run) -> Iterator[str]:
    """Every event of the run; what people themselves wrote stands in the log as they wrote it."""
    written = ("run.messaged", "request.commented", "disclosure.read")
    for event in Event.objects.exclude(type__in=written).filter(run=run.pk):
        yield f"/audit/events/{event.pk}/?disclosures=shown"


def api_of(run: Run) -> Iterator[str]:
    yield from (
        "approvals",
        "approvals?decidable=true",
        "runs",
        "agents",
        "agents/vault",
        "audit/events",
    )
    yield f"approvals?run={run.pk}"
    yield f"runs/{run.pk}"
    yield f"runs/{run.pk}/steps"
    yield f"runs/{run.pk}/replay"
    yield f"runs/{run.pk}/steps?limit=1"
    for request in ApprovalRequest.objects.filter(run_id=run.pk):
        yield f"approvals/{request.pk}"


def assert_clean(content: bytes | str, where: object) -> None:
    text = (content.decode() if isinstance(content, bytes) else content).lower()
    for plant in PLANTS:
        at = text.find(plant)
        assert at < 0, (where, text[max(0, at - 300) : at + 60])


def assert_nowhere(login: Login, run: Run, eyes: list[User]) -> None:
    """Walk every page and every address of the API as each of them, in the browser and by token."""
    for user in eyes:
        client = login(Client(), user)
        made = create_token(person=user, name="t", caller=Actor.system("tests"))
        bearer = Client(headers={"Authorization": f"Bearer {made.bearer}"})
        for path in pages_of(run):
            assert_clean(client.get(path).content, (user, path))
            if path.startswith(("/requests/", "/runs/")):
                fragment = client.get(path, headers={"HX-Request": "true"})
                assert_clean(fragment.content, (user, path))
        for path in api_of(run):
            assert_clean(bearer.get(f"/api/v1/{path}").content, (user, path))
        for request in ApprovalRequest.objects.filter(run_id=run.pk, state="pending"):
            assert_tries_tell_nothing(client, bearer, request)


def assert_tries_tell_nothing(client: Client, bearer: Client, request: ApprovalRequest) -> None:
    """Refusals, conflicts and field errors repeat nothing either."""
    bound = {
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
    }
    for verdict in ("approve", "edit", "answer"):
        body = {"verdict": verdict, **bound, "nonce": uuid.uuid4().hex}
        edited = {"arguments.recipient": "", "arguments.amount": "x", "arguments.name": ""}
        page = client.post(f"/requests/{request.pk}/decide/", {**body, **edited, "answer": "?"})
        assert_clean(page.content, (request.pk, verdict))
        for arguments in ({"amount": "x"}, {"recipient": "x", "amount": -1, "name": "y"}):
            answer = bearer.post(
                f"/api/v1/approvals/{request.pk}/decisions",
                {**body, "arguments": arguments, "answer": "?"},
                content_type="application/json",
            )
            assert answer.status_code >= 400
            assert_clean(answer.content, (request.pk, verdict))
    request.refresh_from_db()
    assert request.state == "pending"


def assert_left_nowhere(auditor: User, capture: list[Any], logged: str) -> None:
    """What went out or stays behind: exports, mails, hints, logs, figures."""
    for file_format in ("jsonl", "csv"):
        asked: Export = ask_export(
            chosen=EventFilter(),
            file_format=file_format,
            caller=Caller.of_session(auditor),  # type: ignore[arg-type]
        )
        write_export(asked.id)
        asked.refresh_from_db()
        assert_clean(export_file.path_of(asked).read_bytes(), file_format)
    for sent in mail.outbox:
        assert_clean(sent.subject + sent.body, "mail")
    for hint in capture:
        assert_clean(json.dumps(hint, default=str), "hint")
    assert_clean(logged, "log")
    assert_clean(Client().get("/metrics").content, "/metrics")


@pytest.mark.usefixtures("machine")
@pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)
def test_an_evidence_export_holds_it_for_those_alone_who_may_read_it(
    counter: Counter, vault: str, trusted: User, auditor: User
) -> None:
    looking = person("looking", "auditor", "sensitive-reader")
    run = begun(
        counter,
        saying(sends(7)),
        saying(call("look_for", {"name": FIRST, "confidence": 0.99, "rationale": FIRST})),
        saying(sends(13)),
        final(summary=f"Sent to {FIRST}"),
    )
    while run.state == "waiting":
        counter.decide(counter.request(run), Verdict.APPROVE, trusted)
        run = counter.go_on(run)
    assert run.state == "succeeded"
    for name, text in texts_of(evidence_for(auditor)).items():
        assert_clean(name + text, name)
    opened = texts_of(evidence_for(looking))
    assert any(PLANTS[0] in text.lower() for name, text in opened.items() if "content/" in name)
    # What is found by everybody who has the file, without opening a document, holds it for nobody.
    for name in ("events.jsonl", "events.csv", "events.parquet", "proofs", "MANIFEST.json"):
        assert_clean(opened[name], name)


def hints_of(redis: Any) -> list[Any]:
    found = []
    while message := redis.get_message(timeout=0.05):
        found.append(message["data"])
    return found


@pytest.fixture
def hints(redis_client: Redis) -> Iterator[Any]:
    with Redis.from_url(settings.COUNTERSIGN.redis_url).pubsub() as heard:
        heard.subscribe(CHANNEL)
        yield heard


@pytest.mark.timeout(600)
def test_a_sensitive_argument_is_found_nowhere_by_who_may_not_read_it(
    client: Client,
    counter: Counter,
    vault: str,
    login: Login,
    eyes: list[User],
    trusted: User,
    auditor: User,
    hints: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    question = {"question": f"Is {FIRST} right?", "answer_type": "choice", "choices": [FIRST, "no"]}
    document = current().policy.document()
    admin = Caller.of_session(User.objects.get(username="admin"))
    begin_draft(document=document, base_version=current().version, caller=admin, why="To try.")
    with counter.captured(execute=True):
        run = begun(
            counter,
            saying(sends(7), call("ask_human", question)),
            saying(call("look_for", {"name": FIRST, "confidence": 0.99, "rationale": FIRST})),
            saying(sends(13)),
            saying(
                sends(15), call("write_to", {"name": FIRST, "confidence": 0.9, "rationale": "x"})
            ),
            saying(sends("much")),
            final(summary=f"Sent to {FIRST}"),
        )
        message_run(
            run_id=run.pk, text=f"{FIRST} it is", caller=Caller.of_session(counter.operator)
        )
    assert send_first() > 0
    for request in ApprovalRequest.objects.filter(run_id=run.pk):
        notify(request_id=request.pk, occasion="reminder")
        comment(request_id=request.pk, body=f"Not {FIRST}?", caller=Caller.of_session(trusted))
    assert_nowhere(login, run, eyes)

    with counter.captured(execute=True):
        for request in ApprovalRequest.objects.filter(run_id=run.pk, state="pending"):
            if request.kind == "question":
                counter.decide(request, Verdict.ANSWER, trusted, answer=FIRST)
                continue
            changed = {"recipient": SECOND, "amount": "7"}
            counter.decide(request, Verdict.EDIT, trusted, arguments=changed)
            request.refresh_from_db()
            assert_nowhere(login, run, eyes[:1])
            other = person(
                "other", "reviewer", "sensitive-reader", groups=tuple(trusted.review_groups.all())
            )
            counter.decide(request, Verdict.APPROVE, other)
        run = counter.go_on(run)
    for _ in range(6):
        if run.state != "waiting":
            break
        assert_nowhere(login, run, eyes[:1])
        with counter.captured(execute=True):
            for request in ApprovalRequest.objects.filter(run_id=run.pk, state="pending"):
                notify(request_id=request.pk, occasion="reminder")
                counter.decide(request, Verdict.APPROVE, trusted)
            run = counter.go_on(run)
    assert run.state == "succeeded"
    assert_nowhere(login, run, eyes)
    assert mail.outbox
    login(client, auditor)
    for path in events_of(run):
        assert_clean(client.get(path).content, path)
    assert_left_nowhere(auditor, hints_of(hints), caplog.text)


@pytest.mark.timeout(300)
def test_who_may_read_it_finds_it_whole(
    counter: Counter, vault: str, login: Login, trusted: User, client: Client
) -> None:
    run = begun(counter, saying(sends(7)))
    request = counter.request(run)
    login(client, trusted)
    shown = client.get(f"/api/v1/approvals/{request.pk}").json()
    assert shown["arguments"]["recipient"] == FIRST
    assert shown["title"] == f"Send 7 to {FIRST}"
    for path in (
        "/inbox/",
        f"/requests/{request.pk}/",
        f"/runs/{run.pk}/",
        f"/runs/{run.pk}/steps/2/",
    ):
        assert PLANTS[0] in client.get(path).content.decode().lower(), path
    assert PLANTS[0] in client.get(f"/inbox/?q={FIRST}").content.decode().lower()


def test_a_search_tells_nothing_of_titles_that_are_hidden(
    counter: Counter, vault: str, login: Login, reviewer: User, client: Client
) -> None:
    run = begun(counter, saying(sends(7)))
    row = f"row-{counter.request(run).pk}"
    login(client, reviewer)
    for query, found in (
        ("vault", True),
        ("transfer", True),
        ("berus-4711", False),
        ("Send 7", False),
    ):
        page = client.get("/inbox/rows/", {"q": query}).content.decode()
        assert (row in page) is found, query


def test_a_search_among_runs_tells_nothing_of_tasks_that_may_repeat_what_is_hidden(
    counter: Counter, vault: str, login: Login, reviewer: User, trusted: User, client: Client
) -> None:
    run = begun(counter, saying(sends(7)))
    Run.objects.filter(pk=run.pk).update(title=f"Send it to {FIRST}")
    for reader, query, found in (
        (reviewer, FIRST, False),
        (reviewer, "Send it", False),
        (reviewer, "vault", True),
        (trusted, FIRST, True),
    ):
        login(client, reader)
        answer = client.get("/runs/", {"q": query})
        assert bool(answer.context["rows"]) is found, (reader, query)


def test_somebody_who_may_not_read_it_neither_approves_nor_edits(
    counter: Counter, vault: str, login: Login, reviewer: User, client: Client
) -> None:
    request = counter.request(begun(counter, saying(sends(7))))
    made = create_token(person=reviewer, name="t", caller=Actor.system("tests"))
    bearer = Client(headers={"Authorization": f"Bearer {made.bearer}"})
    login(client, reviewer)
    for verdict, more in (
        ("approve", {}),
        ("edit", {"arguments": {"recipient": "x", "amount": "1"}}),
    ):
        body = {
            "verdict": verdict,
            "revision": request.revision,
            "digest": request.digest,
            "shown_sha256": request.shown_sha256,
            "nonce": uuid.uuid4().hex,
            **more,
        }
        answer = bearer.post(
            f"/api/v1/approvals/{request.pk}/decisions", body, content_type="application/json"
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "sensitive_hidden")
        flat = {"arguments.recipient": "x", "arguments.amount": "1"} if more else {}
        page = client.post(
            f"/requests/{request.pk}/decide/",
            {**{k: v for k, v in body.items() if k != "arguments"}, **flat},
        )
        assert page.status_code == 403
    request.refresh_from_db()
    assert (request.state, request.revision) == ("pending", 1)


def test_a_call_that_repeats_a_hidden_value_is_hidden_and_not_approved_either(
    counter: Counter, vault: str, login: Login, reviewer: User, trusted: User, client: Client
) -> None:
    letter = call("write_to", {"name": f"Dear {FIRST}", "confidence": 0.9, "rationale": "x"})
    run = begun(counter, saying(sends(7), letter))
    request = ApprovalRequest.objects.get(run_id=run.pk, tool="write_to")
    login(client, reviewer)
    shown = client.get(f"/api/v1/approvals/{request.pk}").json()
    assert shown["arguments"] == {"name": {"hidden": True}}
    assert shown["hidden_arguments"] == ["name"]
    assert "Sensitive: not open to you" in client.get(f"/requests/{request.pk}/").content.decode()
    with pytest.raises(SensitiveHidden):
        counter.decide(request, Verdict.APPROVE, reviewer)
    counter.decide(request, Verdict.APPROVE, trusted)


def test_each_look_of_an_auditor_is_an_event(
    counter: Counter, vault: str, login: Login, client: Client
) -> None:
    run = begun(counter, saying(sends(7)))
    request = counter.request(run)
    looking = person("looking", "auditor", "sensitive-reader")
    login(client, looking)

    def looks(type: str) -> int:
        return Event.objects.filter(type=type, actor_id=str(looking.pk)).count()

    assert PLANTS[0] in client.get(f"/requests/{request.pk}/").content.decode().lower()
    assert PLANTS[0] in client.get(f"/api/v1/approvals/{request.pk}").content.decode().lower()
    assert looks("request.sensitive_read") == 2
    for path in (f"/runs/{run.pk}/", f"/runs/{run.pk}/steps/2/", f"/api/v1/runs/{run.pk}/steps"):
        before = looks("run.sensitive_read")
        assert PLANTS[0] in client.get(path).content.decode().lower(), path
        assert looks("run.sensitive_read") == before + 1, path
    events = Event.objects.count()
    for path in ("/runs/", "/inbox/", "/api/v1/approvals", "/api/v1/runs", "/agents/vault/"):
        assert_clean(client.get(path).content, path)
    assert Event.objects.count() == events


def test_a_value_many_steps_before_is_hidden_in_every_later_conversation(
    counter: Counter,
    vault: str,
    login: Login,
    operator: User,
    trusted: User,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.timeline.BESIDE", 1)
    later = [
        calls(call("look_for", {"name": f"nobody {n}", "confidence": 0.99, "rationale": "x"}))
        for n in range(4)
    ]
    run = begun(counter, saying(sends(7)), *later, final(summary="ok"), text="Send it.")
    counter.decide(counter.request(run), Verdict.APPROVE, trusted)
    run = counter.go_on(run)
    assert run.state == "succeeded"
    login(client, operator)
    for step in Step.objects.filter(run=run):
        assert_clean(client.get(f"/runs/{run.pk}/steps/{step.seq}/").content, step.seq)
    shown = client.get(f"/api/v1/runs/{run.pk}/steps").json()["items"]
    assert shown[1]["arguments"] == {"recipient": SENSITIVE, "amount": "7"}


def test_a_tool_that_breaks_over_a_sensitive_value_leaves_it_out_of_the_log(
    counter: Counter, vault: str, trusted: User, caplog: pytest.LogCaptureFixture
) -> None:
    run = begun(counter, saying(sends(14)), final(summary="ok"))
    counter.decide(counter.request(run), Verdict.APPROVE, trusted)
    counter.go_on(run)
    logged = caplog.text
    assert "tool_raised" in logged
    assert "ValueError" in logged
    assert_clean(logged, "log")


def test_whoever_may_not_read_it_neither_forks_the_run_nor_reads_it_in_a_replay_or_a_fork(
    counter: Counter, vault: str, login: Login, eyes: list[User], operator: User, trusted: User
) -> None:
    run = begun(counter, saying(sends(7)), final(summary=f"Sent to {FIRST}"))
    counter.decide(counter.request(run), Verdict.APPROVE, trusted)
    run = counter.go_on(run)
    # What is made anew is another by one letter, in a message that holds the value.
    Run.objects.filter(pk=run.pk).update(input={"text": f"Send 8 to {FIRST}."})
    assert not Run.objects.get(pk=run.pk).simulated
    wish = Wish(step=0, instructions="Say the recipient backwards.")
    for who in (operator, eyes[0]):
        with pytest.raises(ForkHidden):
            fork_run(run_id=run.pk, wish=wish, caller=Caller.of_session(who))
    trusted_caller = Caller.of_session(trusted)
    fork, _ = fork_run(run_id=run.pk, wish=wish, caller=trusted_caller)
    # Its own journal never says that the value is sensitive; that of the run which it is a fork of does.
    counter.model.follow([final(summary=f"It is {FIRST}")])
    fork = counter.go_on(fork)
    assert fork.state == "succeeded"
    for user in eyes:
        client = login(Client(), user)
        for each in (run, fork):
            for path in (
                f"/runs/{each.pk}/",
                f"/runs/{each.pk}/replay/",
                f"/runs/{each.pk}/fork/",
                f"/api/v1/runs/{each.pk}/replay",
                f"/api/v1/runs/{each.pk}",
                f"/api/v1/runs/{each.pk}/steps",
                f"/runs/compare/?run={run.pk}&run={fork.pk}",
            ):
                assert_clean(client.get(path).content, (user, path))
    told = login(Client(), eyes[0]).get(f"/api/v1/runs/{run.pk}/replay").json()
    assert told["counts"]["differs"] >= 1
    seen = login(Client(), trusted).get(f"/api/v1/runs/{run.pk}/replay").content.decode()
    assert PLANTS[0] in seen.lower()
