"""Hostile content by every door: shown as it is and harmless, or refused with words that say why."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pydantic import BaseModel, ConfigDict
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import User
from accounts.services.create_group import create_group
from accounts.services.create_person import create_person
from accounts.services.create_token import create_token
from agents.authoring import Budget, Risk, ToolContext, tool
from agents.models import EffectRecord, Run, Step
from agents.webhooks import sign
from approvals.models import ApprovalRequest
from approvals.services.notify import notify
from approvals.templatetags.interface import reveal
from audit import export_file
from audit.actors import Actor
from audit.clock import database_now
from audit.errors import Invalid
from audit.filters import EventFilter
from audit.models import Event
from audit.services.ask_export import ask_export
from audit.services.write_export import write_export
from audit.verifier import verify
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.markup import troubles_in, words_in
from tests.approvals.hostile import HOSTILE, MARKER, REFUSED, UNSEEN
from tests.audit.conftest import SEALING_LOGINS, machine  # noqa: F401
from tests.harness.bundles import evidence_for, texts_of
from tests.harness.people import person
from tests.model_server import call, calls, completion, final, judged

Steps = Callable[[Run], list[Step]]
Login = Callable[[Client, User], Client]
TESTS = Actor.system("tests")
PAY = judged({"account": "A1", "amount": "42.00"})
#: One of each kind, where every door behind it is the same.
SOME = ("bidi", "zero_width", "terminal", "lines", "script", "textarea", "mixed_host", "template")
SECRET = "whsec_" + "b2xk" * 10


class Nothing(BaseModel):
    """No arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def paying(text: str) -> dict[str, Any]:
    """A payment whose every text is this one."""
    return {"account": text, "amount": "1.00", "confidence": 0.9, "rationale": text}


@pytest.fixture
def bearer(reviewer: User) -> Client:
    """A token of the reviewer's, with every scope."""
    made = create_token(person=reviewer, name="tests", caller=TESTS)
    return Client(headers={"Authorization": f"Bearer {made.bearer}"})


# -- the model's replies --------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_model_writes_is_shown_as_it_is_and_does_nothing(
    client: Client,
    login: Login,
    counter: Counter,
    bearer: Client,
    reviewer: User,
    admin: User,
    name: str,
) -> None:
    text = HOSTILE[name]
    proposed = completion({"content": text, "tool_calls": [call("pay", paying(text))]})
    run = counter.start([proposed, final(summary=text)], text=text)
    request = counter.request(run)
    assert request.arguments["account"] == text
    shown = f"Pay €1.00 to {text}"[:500]
    login(client, reviewer)
    paths = [
        "/inbox/",
        f"/requests/{request.pk}/",
        f"/requests/{request.pk}/?mode=reject",
        f"/runs/{run.pk}/",
        f"/runs/{run.pk}/steps/1/",
        f"/runs/{run.pk}/steps/2/",
        "/runs/",
    ]
    for path in paths:
        page = client.get(path)
        assert troubles_in(page.content) == [], path
    page = client.get(paths[1]).content
    assert words_of(shown) in words_in(page) or words_of(text) in words_in(page)
    assert str(reveal(text)) in page.decode()
    editing = client.get(f"/requests/{request.pk}/?mode=edit").content
    assert MARKER not in "".join(t for t in troubles_in(editing) if "unseen" not in t)

    answer = bearer.get(f"/api/v1/approvals/{request.pk}").json()
    assert answer["arguments"]["account"] == text
    assert answer["rationale"] == text
    listed = bearer.get("/api/v1/approvals").json()["items"]
    assert listed[0]["arguments"]["account"] == text
    steps = bearer.get(f"/api/v1/runs/{run.pk}/steps").json()["items"]
    assert steps[1]["arguments"]["account"] == text

    mail.outbox.clear()
    assert notify(request_id=request.pk, occasion="reminder") > 0
    for sent in mail.outbox:
        assert not set(UNSEEN) & set(sent.subject + sent.body)
        assert "\n" not in sent.subject

    trusted = person("trusted", "reviewer", groups=tuple(reviewer.review_groups.all()))
    counter.decide(request, "approve", trusted)  # type: ignore[arg-type]
    run = counter.go_on(run)
    assert run.state == "succeeded"
    assert troubles_in(client.get(f"/runs/{run.pk}/").content) == []
    assert client.get(f"/requests/{request.pk}/?tab=decided").status_code == 200


def words_of(text: str) -> str:
    """The text as a reader of the page reads it."""
    return words_in(f"<p>{reveal(text)}</p>".encode())


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_reader_reads_alike_goes_back_to_the_model(
    counter: Counter, bank: Bank, steps_of: Steps, name: str
) -> None:
    arguments = f'{{"account": {REFUSED[name]}, "amount": "1.00", "confidence": 0.9}}'
    run = counter.start([calls(call("pay", arguments)), final(summary="ok")])
    assert run.state == "succeeded"
    refused = steps_of(run)[1]
    assert refused.problem in ("arguments_not_json", "arguments_invalid")
    assert "arguments" in str((refused.output or {})["message"])
    assert bank.sent == []


def test_a_megabyte_is_refused_at_the_gate_and_the_model_is_told(
    counter: Counter, bank: Bank, steps_of: Steps
) -> None:
    # What such a reply takes of them would end it otherwise.
    host(teller(bank, budget=Budget(tokens=2_000_000)))
    run = counter.start([calls(call("pay", paying("x" * 1_000_000))), final(summary="ok")])
    refused = steps_of(run)[1]
    assert refused.problem == "arguments_too_large"
    told = str(counter.model.requests[1]["messages"][-1]["content"])
    assert "too large" in told
    assert bank.sent == []
    assert len(json.dumps(refused.response)) < 200_000


def test_the_longest_text_that_is_taken_is_shown_to_its_last_letter(
    client: Client, login: Login, counter: Counter, reviewer: User
) -> None:
    text = "\u200b\u202e" * 8_000 + "y" * 40_000 + "the end"
    written = json.dumps({**paying("x"), "account": text}, ensure_ascii=False)
    request = counter.request(counter.start([calls(call("pay", written))]))
    page = login(client, reviewer).get(f"/requests/{request.pk}/").content
    assert str(reveal(text)) in page.decode()
    assert troubles_in(page) == []
    # One mark for all that stands beside each other: a page of a few elements and not of thousands.
    assert page.count(b"<span") < 500


@pytest.mark.parametrize("count", [50, 5_000])
def test_thousands_of_keys_are_refused_by_the_tool_and_break_nothing(
    counter: Counter, steps_of: Steps, count: int
) -> None:
    run = counter.start(
        [
            calls(call("pay", {**paying("x"), **{f"k{n}": n for n in range(count)}})),
            final(summary="ok"),
        ]
    )
    assert run.state == "succeeded"
    assert steps_of(run)[1].problem == "arguments_invalid"


@pytest.mark.parametrize("name", ["bidi", "script", "zero_width", "terminal", "tags"])
def test_a_question_and_its_choices_are_shown_as_they_are(
    client: Client, login: Login, counter: Counter, reviewer: User, name: str
) -> None:
    text = HOSTILE[name]
    asked = {"question": text, "answer_type": "choice", "choices": ["Acme", f"Acme{text}"]}
    run = counter.start([calls(call("ask_human", asked))])
    request = counter.request(run)
    page = login(client, reviewer).get(f"/requests/{request.pk}/").content
    assert troubles_in(page) == []
    assert str(reveal(f"Acme{text}")) in page.decode()
    given = {"verdict": "answer", "answer": f"Acme{text}", **seen(request)}
    client.post(f"/requests/{request.pk}/decide/", given)
    request.refresh_from_db()
    assert request.state == "answered"


def test_a_tool_and_its_results_may_hold_anything_too(
    client: Client, login: Login, counter: Counter, bank: Bank, reviewer: User
) -> None:
    @tool(risk=Risk.LOW)
    def read_page(ctx: ToolContext, nothing: Nothing) -> dict[str, str]:
        """Read a page of somebody else."""
        return {**HOSTILE, HOSTILE["script"]: HOSTILE["bidi"]}

    host(teller(bank, tools=[*teller(bank).tools, read_page]))
    run = counter.start([calls(call("read_page", judged({}))), calls(call("pay", PAY))])
    request = counter.request(run)
    login(client, reviewer)
    for path in (f"/requests/{request.pk}/", f"/runs/{run.pk}/", f"/runs/{run.pk}/steps/2/"):
        assert troubles_in(client.get(path).content) == [], path


# -- the API --------------------------------------------------------------------------------------


def seen(request: ApprovalRequest) -> dict[str, Any]:
    return {
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "nonce": uuid.uuid4().hex,
    }


def doors(run: Run, request: ApprovalRequest) -> Iterator[tuple[str, str]]:
    """Each address that takes a body, with one whose value is left open as %s."""
    bound = json.dumps(seen(request))[1:-1]
    of = f"approvals/{request.pk}"
    yield "runs", '{"agent": "teller", "input": %s}'
    yield f"runs/{run.pk}/messages", '{"text": %s}'
    yield f"runs/{run.pk}/goal", '{"text": %s}'
    yield f"runs/{run.pk}/pause", '{"reason": %s}'
    yield f"runs/{run.pk}/take-over", '{"reason": %s}'
    yield f"{of}/comments", '{"body": %s}'
    yield f"{of}/extend", '{"hours": %s}'
    yield f"{of}/decisions", f'{{"verdict": "reject", "reason": %s, {bound}}}'
    yield f"{of}/decisions", f'{{"verdict": "send_back", "reason": %s, {bound}}}'
    yield (
        f"{of}/decisions",
        f'{{"verdict": "edit", "arguments": {{"account": %s, "amount": "2.00"}}, {bound}}}',
    )


@pytest.mark.parametrize("name", REFUSED)
def test_over_the_api_it_is_refused_with_a_code_and_nothing_changes(
    counter: Counter, reviewer: User, name: str
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    request = counter.request(run)
    whoever = person("reviewer", "reviewer", "operator", groups=tuple(reviewer.review_groups.all()))
    made = create_token(person=whoever, name="tests", caller=TESTS)
    client = Client(headers={"Authorization": f"Bearer {made.bearer}"})
    lasting = Event.objects.exclude(type="token.used_first")
    events = lasting.count()
    for path, body in doors(run, request):
        answer = client.post(
            f"/api/v1/{path}", body % REFUSED[name], content_type="application/json"
        )
        assert 400 <= answer.status_code < 500, (path, answer.content)
        assert answer["content-type"] == "application/problem+json"
        assert answer.json()["code"] in ("malformed_json", "invalid_request", "too_large")
        assert troubles_in(answer.content) == []
    assert ApprovalRequest.objects.get(pk=request.pk).version == request.version
    assert lasting.count() == events
    assert Run.objects.count() == 1


@pytest.mark.parametrize("name", SOME)
def test_over_the_api_a_text_is_kept_as_it_is(
    client: Client, login: Login, counter: Counter, bearer: Client, reviewer: User, name: str
) -> None:
    text = HOSTILE[name]
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    request = counter.request(run)
    said = bearer.post(
        f"/api/v1/approvals/{request.pk}/comments", {"body": text}, content_type="application/json"
    )
    assert said.json()["body"] == text.strip()
    edited = {"account": text, "amount": "2.00"}
    given = {"verdict": "edit", "arguments": edited, "reason": text[:5_000], **seen(request)}
    answer = bearer.post(
        f"/api/v1/approvals/{request.pk}/decisions", given, content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    request.refresh_from_db()
    assert request.arguments["account"] == text
    page = login(client, reviewer).get(f"/requests/{request.pk}/").content
    assert troubles_in(page) == []
    other = person("other", "reviewer", groups=tuple(reviewer.review_groups.all()))
    counter.decide(request, "reject", other, reason=text)  # type: ignore[arg-type]
    for path in (f"/requests/{request.pk}/", f"/runs/{run.pk}/", "/inbox/?tab=decided"):
        assert troubles_in(client.get(path).content) == [], path


# -- pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SOME, "nul"])
def test_forms_take_it_as_it_is_or_say_what_is_wrong(
    client: Client, login: Login, counter: Counter, reviewer: User, name: str
) -> None:
    text = HOSTILE.get(name, "a\0b")
    whoever = person("reviewer", "reviewer", "operator", groups=tuple(reviewer.review_groups.all()))
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    request = counter.request(run)
    login(client, whoever)
    posts = [
        (f"/requests/{request.pk}/comments/", {"text": text}),
        (f"/requests/{request.pk}/extend/", {"hours": text}),
        (f"/requests/{request.pk}/decide/", {"verdict": text, **seen(request)}),
        (f"/requests/{request.pk}/decide/", {"verdict": "approve", **seen(request), "nonce": text}),
        (
            f"/requests/{request.pk}/decide/",
            {"verdict": "approve", **seen(request), "digest": text},
        ),
        (f"/runs/{run.pk}/message/", {"text": text}),
        (f"/runs/{run.pk}/goal/", {"text": text}),
        ("/runs/start/", {"agent": "teller", "text": text}),
        (
            f"/requests/{request.pk}/decide/",
            {
                "verdict": "edit",
                "arguments.account": text,
                "arguments.amount": text,
                **seen(request),
            },
        ),
        (
            f"/requests/{request.pk}/decide/",
            {"verdict": "send_back", "reason": text, **seen(request)},
        ),
    ]
    for path, body in posts:
        answer = client.post(path, body, follow=True)
        assert answer.status_code < 500, path
        assert [each for each in troubles_in(answer.content) if name != "nul"] == [], path
    assert EffectRecord.objects.count() == 0


@pytest.mark.parametrize("hours", ["\u00b2", "9" * 5_000, "-1", "1e3", "\u0663"])
def test_a_number_that_is_none_is_refused(
    client: Client, login: Login, counter: Counter, reviewer: User, hours: str
) -> None:
    request = counter.request(counter.start([calls(call("pay", PAY))]))
    login(client, reviewer)
    before = request.review_deadline
    assert client.post(f"/requests/{request.pk}/extend/", {"hours": hours}).status_code == 422
    request.refresh_from_db()
    assert request.review_deadline == before
    assert client.get(f"/runs/{request.run_id}/?at={hours}&step={hours}").status_code == 200


@pytest.mark.parametrize("name", SOME)
def test_filters_take_any_text(
    client: Client, login: Login, counter: Counter, auditor: User, name: str
) -> None:
    text = HOSTILE[name][:500]
    whoever = person("whoever", "auditor", "admin", "reviewer", "operator")
    login(client, whoever)
    asked: list[tuple[str, dict[str, str]]] = [
        ("/inbox/", {"q": text, "tab": text}),
        ("/inbox/rows/", {"q": text}),
        ("/runs/", {"agent": text, "cursor": text, "state": text}),
        ("/audit/", {"type": text, "agent": text, "stream": text, "person": text, "cursor": text}),
        ("/people/", {"q": text, "cursor": text}),
        ("/policies/", {"line": text}),
        ("/api/v1/approvals", {"agent": text}),
        ("/api/v1/approvals", {"cursor": text, "state": text}),
        ("/api/v1/audit/events", {"agent": text, "tool": text}),
        ("/api/v1/runs", {"agent": text}),
    ]
    for path, query in asked:
        answer = client.get(path, query, follow=True)
        assert answer.status_code < 500, path
        if not path.startswith("/api/"):
            assert troubles_in(answer.content) == [], path


# -- callbacks ------------------------------------------------------------------------------------


@pytest.fixture
def outside(bank: Bank, settings: Settings) -> Bank:
    """The teller's payments are settled by a provider."""
    secrets = {"postbox": (SECRET,)}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"callback_secrets": secrets})
    return bank


def tell(client: Client, body: str) -> Any:
    stamp = int(database_now().timestamp())
    raw = body.encode("utf-8", "surrogatepass")
    return client.post(
        "/api/v1/callbacks/postbox",
        raw,
        content_type="application/json",
        headers={
            "webhook-id": "msg-1",
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(SECRET, id="msg-1", timestamp=stamp, body=raw),
        },
    )


@pytest.mark.parametrize("name", SOME)
def test_a_providers_words_are_shown_as_they_are(
    client: Client,
    login: Login,
    counter: Counter,
    outside: Bank,
    reviewer: User,
    auditor: User,
    name: str,
) -> None:
    text = HOSTILE[name][:2_000]
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    request = counter.request(run)
    counter.decide(request, "approve", reviewer)  # type: ignore[arg-type]
    counter.go_on(run)
    effect = EffectRecord.objects.get(run=run)
    EffectRecord.objects.filter(pk=effect.pk).update(state="accepted", provider="postbox")
    said = {"idempotency_key": effect.idempotency_key, "state": "bounced", "detail": text}
    assert tell(client, json.dumps(said)).status_code == 200
    login(client, reviewer)
    page = client.get(f"/runs/{run.pk}/").content
    assert troubles_in(page) == []
    assert str(reveal(f"It bounced: {text}")) in page.decode()
    login(client, auditor)
    for event in Event.objects.filter(type="effect.bounced"):
        shown = client.get(f"/audit/events/{event.pk}/?disclosures=shown").content
        assert troubles_in(shown) == []
        assert str(reveal(text)) in shown.decode()


@pytest.mark.parametrize("name", REFUSED)
def test_a_callback_that_cannot_be_read_alike_is_refused(
    client: Client, outside: Bank, counter: Counter, name: str
) -> None:
    body = f'{{"reference": "r", "state": "bounced", "detail": {REFUSED[name]}}}'
    answer = tell(client, body)
    assert answer.status_code in (400, 404, 422), answer.content
    assert answer.json()["code"]


# -- what leaves the house ------------------------------------------------------------------------


def test_an_export_holds_nothing_that_a_terminal_or_a_spreadsheet_would_run_or_hide(
    counter: Counter, auditor: User, reviewer: User
) -> None:
    for text in HOSTILE.values():
        run = counter.start([calls(call(text[:64], paying(text))), final(summary=text)], text=text)
        assert run.state == "succeeded"
    for file_format in ("jsonl", "csv"):
        asked = ask_export(
            chosen=EventFilter(),
            file_format=file_format,
            caller=Caller.of_session(auditor),  # type: ignore[arg-type]
        )
        write_export(asked.id)
        asked.refresh_from_db()
        written = export_file.path_of(asked).read_text()
        assert MARKER not in written
        if file_format == "csv":
            assert not set(UNSEEN) & set(written)


@pytest.mark.usefixtures("machine")
@pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)
def test_an_evidence_export_keeps_it_where_it_is_evidence_and_tells_it_nowhere_else(
    counter: Counter, auditor: User, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in HOSTILE.values():
        run = counter.start([calls(call("pay", paying(text)))], text=text)
        assert run.state == "waiting"
    path = evidence_for(auditor)
    read = texts_of(path)
    evidence = {name for name in read if name.startswith(("content/", "disclosures"))}
    assert any(MARKER in read[name] for name in evidence)
    for name, text in read.items():
        # JSON and base64 escape whatever moves a terminal's cursor, in evidence too.
        assert not {"\x1b", "\x07", "\x08"} & set(text.replace("\r\n", "")), name
        assert not set(UNSEEN) & set(name)
        if name not in evidence | {"verify.py"}:
            assert MARKER not in text, name
            assert not set(UNSEEN) & set(text), name
    # What whoever asks typed into the search stands in the manifest.
    typed = HOSTILE["terminal"] + HOSTILE["bidi"] + HOSTILE["script"]
    filtered = evidence_for(auditor, agent=typed)
    assert json.loads(texts_of(filtered)["MANIFEST.json"])["filter"] == {"agent": typed}
    for export in (path, filtered):
        assert verify.main([str(export)]) == 0
    told = capsys.readouterr()
    assert "agent" in told.out
    assert not set(UNSEEN) & set(told.out + told.err)


@pytest.mark.parametrize(
    "name", ["bidi", "zero_width", "tags", "terminal", "lines", "noncharacter"]
)
def test_people_groups_and_tokens_have_names_that_can_be_seen(admin: User, name: str) -> None:
    text, caller = HOSTILE[name][:60], Caller.of_session(admin)
    attempts: list[Callable[[], object]] = [
        lambda: create_person(username="mallory", display_name=text, caller=caller),
        lambda: create_group(slug="evil", title=text, caller=caller),
        lambda: create_token(person=admin, name=text, caller=TESTS),
    ]
    for attempt in attempts:
        with pytest.raises(Invalid) as refused:
            attempt()
        assert not set(UNSEEN) & set(refused.value.detail)
