"""A secret that a tool lets slip in every way there is: what the product keeps, sends and shows has none of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.test import Client
from psycopg import sql
from redis import Redis

from accounts.models import ReviewGroup, User
from agents import registry
from agents.models import Run, Step
from approvals.models import ApprovalRequest
from audit.models import Event
from tests.agents.conftest import host
from tests.harness.client import ApiClient
from tests.harness.receiver import Receiver
from tests.harness.stack import Stack
from tests.leak.agents import NAME, blabber
from tests.leak.forms import all_forms, forms_of
from tests.model_server import Answer, ModelServer, call, completion, final, judged

CORE = "berus~Orthos"
#: It has something of everything that is written differently somewhere, and a core that is not.
PLANT = f'sk "4711"/+?ü\\{CORE}&8822=\''
PAYS = ("say", "blind", "unseen", "crash", "lost")
WAYS = ("say", "terminal", "crash", "log", "malformed", "retryable")


def script() -> list[Answer]:
    """A model that was told the secret by somebody else, and repeats it."""
    said = " ".join(all_forms(PLANT))
    tells = [call("tell", judged({"way": way})) for way in WAYS]
    pays = [call("pay", judged({"way": way})) for way in PAYS]
    wild = call("pay", {"way": said, said: said, "confidence": 0.9, "rationale": said}, id=said)
    asks = {"question": said, "answer_type": "choice", "choices": [said, "no"]}
    return [
        completion({"content": said, "tool_calls": tells}),
        completion({"content": None, "tool_calls": [wild, call(said, said)]}),
        completion(
            {"content": said, "reasoning_content": said, "tool_calls": [call("ask_human", asks)]}
        ),
        completion({"content": said, "tool_calls": pays}, model=PLANT, system_fingerprint=said),
        final(summary=said),
    ]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path)
    yield made
    made.close()


@pytest.fixture
def leaking(
    stack: Callable[..., Stack], finance: ReviewGroup, model_server: ModelServer, receiver: Receiver
) -> Iterator[Stack]:
    made = stack(
        **receiver.environment,
        trace_content=True,
        apps="tests.leak",
        **{f"secret_{NAME}": PLANT},
        openai_base_url=model_server.url,
        openai_api_key="test",
        openai_model="scripted",
        breaker_failures=100,
        verify_backoff_seconds=0,
    )
    host(blabber)
    yield made.run()
    registry.unregister("blabber")


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    server = ModelServer(script())
    yield server
    server.close()


def carried_through(leaking: Stack, operator: User, reviewers: list[User]) -> Run:
    """A run of the blabber to its end; people answer and approve whatever is asked."""
    client = ApiClient(leaking, operator)
    run = client.start("blabber", "Go.")
    people = [ApiClient(leaking, reviewer) for reviewer in reviewers]

    def decided() -> bool:
        for request in people[0].pending():
            verdict = {"question": "answer", "in_doubt": "happened"}.get(request["kind"], "approve")
            if request["arguments"] == {"way": "lost"}:
                # What cannot be read differs from what was approved, each time.
                verdict = "reject"
            more = {"answer": "no"} if verdict == "answer" else {"reason": "So it is."}
            for person in people:
                person.decide(person.get(f"approvals/{request['id']}"), verdict, **more)
        return Run.objects.get(pk=run).state in ("succeeded", "failed", "cancelled")

    leaking.wait_for(decided, 60, "the run has ended")
    return Run.objects.get(pk=run)


def database_of(url: str) -> Iterator[tuple[str, bytes]]:
    """Every table, as it is copied out."""
    with psycopg.connect(url) as superuser:
        tables = superuser.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^pg_|information_schema'"
        ).fetchall()
        for schema, table in tables:
            statement = sql.SQL("COPY (SELECT * FROM {}.{}) TO STDOUT (FORMAT binary)").format(
                *map(sql.Identifier, (schema, table))
            )
            with superuser.cursor().copy(statement) as copied:
                yield f"{schema}.{table}", b"".join(bytes(piece) for piece in copied)


def redis_of(client: Redis) -> Iterator[tuple[str, bytes]]:
    """Every key and what is under it, not compressed."""
    client.config_set("rdbcompression", "no")
    for key in client.scan_iter("*"):
        yield repr(key), key + (client.dump(key) or b"")


def addresses_of(run: Run) -> Iterator[str]:
    """Pages and answers of the API at which something of the run is shown."""
    for tab in ("mine", "team", "decided"):
        yield f"/inbox/?tab={tab}"
    yield from (
        "/runs/",
        "/agents/blabber/",
        "/audit/",
        f"/runs/{run.pk}/",
        f"/runs/{run.pk}/steps/",
    )
    yield from (f"/runs/{run.pk}/steps/{step.seq}/" for step in Step.objects.filter(run=run))
    yield from (
        "/api/v1/approvals",
        "/api/v1/runs",
        "/api/v1/agents/blabber",
        "/api/v1/audit/events",
    )
    yield from (f"/api/v1/runs/{run.pk}", f"/api/v1/runs/{run.pk}/steps")
    for request in ApprovalRequest.objects.filter(run_id=run.pk):
        yield from (f"/requests/{request.pk}/", f"/api/v1/approvals/{request.pk}")
    for event in Event.objects.filter(run=run.pk):
        yield f"/audit/events/{event.pk}/?disclosures=shown"


def assert_clean(content: bytes | str, where: object) -> None:
    text = content.decode(errors="replace") if isinstance(content, bytes) else content
    for name, form in {**forms_of(PLANT), "core": CORE}.items():
        at = text.find(form)
        assert at < 0, (where, name, text[max(0, at - 200) : at + 60])


@pytest.mark.timeout(600)
def test_a_secret_that_a_tool_lets_slip_is_found_nowhere(
    leaking: Stack,
    model_server: ModelServer,
    receiver: Receiver,
    operator: User,
    reviewer: User,
    second_reviewer: User,
    admin: User,
    login: Callable[[Client, User], Client],
    superuser_url: str,
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The pages are rendered here too, by a process that has been given the secret.
    monkeypatch.setattr(
        settings,
        "COUNTERSIGN",
        settings.COUNTERSIGN.model_copy(update={"tool_secrets": {NAME: PLANT}}),
    )
    run = carried_through(leaking, operator, [reviewer, second_reviewer])
    steps = list(Step.objects.filter(run=run).in_order())
    assert {step.name for step in steps if step.problem} >= {"tell", "pay"}
    assert f"[secret: {NAME}]" in str([step.output for step in steps])
    logged = "".join(path.read_text() for path in (leaking.folder / "log").iterdir())
    assert logged.count(f"[secret: {NAME}]") > 100

    for number, sent in enumerate(model_server.requests):
        assert_clean(json.dumps(sent, ensure_ascii=False), f"request {number} to the model")
    for table, content in database_of(superuser_url):
        assert_clean(content, table)
    for key, content in redis_of(redis_client):
        assert_clean(content, key)
    assert_clean(logged, "the logs")
    sent = receiver.file.read_text()
    assert f"[secret: {NAME}]" in sent, "spans hold content here"
    assert_clean(sent, "spans")
    # Mails among them: without a mail server they are files.
    for path in (leaking.folder / "data").rglob("*"):
        if path.is_file():
            assert_clean(path.read_bytes(), path)
    client = login(Client(), admin)
    for address in addresses_of(run):
        assert_clean(client.get(address).content, address)
