"""The API's root: one kind of error, strict bodies, a document and a page that describe it."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from django.test import Client, RequestFactory
from pydantic import BaseModel, ConfigDict
from pytest_django import Settings

from accounts import api as accounts_api
from accounts.errors import PermissionMissing, TokenRefused
from accounts.models import User
from audit.canonical import MalformedJson
from audit.errors import Conflict, Forbidden, Invalid, NotFound, Refusal, TooLarge, Unavailable
from audit.models import Event
from countersign.api import Api, StrictJson, api

Login = Callable[[Client, User], Client]
ME = "/api/v1/me"
MEMBERS = {"type", "title", "status", "detail", "code", "instance", "params"}


def problem_of(response: Any) -> dict[str, Any]:
    """The response's problem document, which must be whole."""
    assert response["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(response.content)
    assert set(document) >= MEMBERS
    assert document["status"] == response.status_code
    assert document["type"] == f"urn:countersign:problem:{document['code']}"
    return document


class Amount(BaseModel):
    """A body as an endpoint takes it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    amount: int
    note: str = ""


@pytest.fixture
def small_api(rf: RequestFactory) -> Callable[..., Any]:
    """`small_api(body, content_type)`: posts to an endpoint of an API made like the real one."""
    small = Api(urls_namespace="small", parser=StrictJson())
    small._exception_handlers = dict(api._exception_handlers)

    @small.post("amounts")
    def take(request: Any, payload: Amount) -> dict[str, int]:
        return {"amount": payload.amount}

    view = small.urls[0][2].callback

    def post(body: str | bytes, content_type: str = "application/json") -> Any:
        return view(rf.post("/api/v1/amounts", body, content_type=content_type))

    return post


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (NotFound, 404),
        (Forbidden, 403),
        (Conflict, 409),
        (Invalid, 422),
        (TooLarge, 413),
        (Unavailable, 503),
        (MalformedJson, 400),
    ],
)
def test_every_kind_of_refusal_has_its_status(
    rf: RequestFactory, kind: type[Refusal], status: int
) -> None:
    refusal = kind("Say what to do.", code="some_code", params={"left": 2})
    document = problem_of(api.on_exception(rf.get(ME), refusal))
    assert document["status"] == status
    assert document["code"] == "some_code"
    assert document["detail"] == "Say what to do."
    assert document["params"] == {"left": 2}
    assert document["instance"] == ME
    assert document["title"]


def test_a_refusal_of_no_known_kind_is_a_failure_and_not_a_guess(rf: RequestFactory) -> None:
    with pytest.raises(TypeError):
        api.on_exception(rf.get(ME), Refusal("What is this?"))


def test_a_refused_token_says_how_to_come_in(rf: RequestFactory) -> None:
    response = api.on_exception(rf.get(ME), TokenRefused())
    assert problem_of(response)["status"] == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404("table shop_orders"), 404, "not_found"),
        (PermissionDenied("internal words"), 403, "forbidden"),
        (OperationalError("server at 10.0.0.7"), 503, "database_unavailable"),
        (KeyError("secret column"), 500, "internal_error"),
    ],
)
def test_other_errors_keep_their_words_inside(
    rf: RequestFactory, error: Exception, status: int, code: str
) -> None:
    document = problem_of(api.on_exception(rf.get(ME), error))
    assert (document["status"], document["code"]) == (status, code)
    assert str(error.args[0]) not in json.dumps(document)


def test_an_unexpected_failure_is_found_again_by_its_request_id(
    client: Client,
    login: Login,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_user: User) -> list[str]:
        raise RuntimeError("the inside of the house")

    monkeypatch.setattr(accounts_api, "roles_of", broken)
    document = problem_of(login(client, reviewer).get(ME))
    assert document["code"] == "internal_error"
    assert "inside" not in json.dumps(document)
    (line,) = [line for line in caplog.records if line.name == "countersign.api"]
    assert line.request_id == document["request_id"]  # type: ignore[attr-defined]
    assert line.exc_info is not None


def test_a_body_that_fits_is_taken(small_api: Callable[..., Any]) -> None:
    assert json.loads(small_api('{"amount": 5}').content) == {"amount": 5}


@pytest.mark.parametrize(
    "body",
    [
        '{"amount": 5',
        '{"amount": 5, "amount": 6}',
        '{"amount": NaN}',
        '{"amount": Infinity}',
        '{"amount": 9007199254740992}',
        '{"amount": 1e999}',
        '{"note": "\\ud800", "amount": 5}',
        "[" * 40 + "]" * 40,
        b"\xff\xfe",
        "amount=5",
    ],
)
def test_a_body_that_readers_could_understand_differently_is_malformed(
    small_api: Callable[..., Any], body: str | bytes
) -> None:
    document = problem_of(small_api(body))
    assert (document["status"], document["code"]) == (400, "malformed_json")


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_that_is_not_declared_as_json_is_not_read(
    small_api: Callable[..., Any], media: str
) -> None:
    document = problem_of(small_api(b'{"amount": 5}', media))
    assert (document["status"], document["code"]) == (415, "unsupported_media_type")


def test_a_charset_beside_the_media_type_is_fine(small_api: Callable[..., Any]) -> None:
    assert small_api('{"amount": 5}', "application/json; charset=utf-8").status_code == 200


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ('{"amount": "5"}', "amount", "int_type"),
        ('{"amount": 5, "extra": 1}', "extra", "extra_forbidden"),
        ("{}", "amount", "missing"),
        ("[]", "", "model_type"),
    ],
)
def test_each_field_that_does_not_fit_is_named_as_the_client_wrote_it(
    small_api: Callable[..., Any], body: str, field: str, code: str
) -> None:
    document = problem_of(small_api(body))
    assert (document["status"], document["code"]) == (422, "invalid_request")
    (error,) = document["errors"]
    assert (error["in"], error["field"], error["code"]) == ("body", field, code)
    assert error["detail"]


def test_what_was_sent_is_not_sent_back(small_api: Callable[..., Any]) -> None:
    assert b"hunter2" not in small_api('{"amount": "hunter2"}').content


@pytest.mark.parametrize(
    "body", ['{"amount": 5, "note": "a\\u0000b"}', '{"amount": 5, "no\\u0000te": "a"}']
)
def test_a_nul_that_no_table_could_hold_is_refused(
    small_api: Callable[..., Any], body: str
) -> None:
    assert problem_of(small_api(body))["code"] == "malformed_json"


def test_words_about_a_nul_are_no_nul(small_api: Callable[..., Any]) -> None:
    assert small_api(r'{"amount": 5, "note": "a\\u0000b"}').status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/v1/agents?after=%00", "/api/v1/runs?agent=a%00b", ME + "?%00"]
)
def test_a_nul_in_an_address_is_refused_before_the_database_sees_it(
    client: Client, db: None, path: str
) -> None:
    assert problem_of(client.get(path))["code"] == "bad_request"


@pytest.mark.parametrize("path", ["/inbox/?q=%00", "/people/?q=%00"])
def test_a_nul_in_the_address_of_a_page_is_a_bad_request(
    client: Client, db: None, path: str
) -> None:
    assert client.get(path).status_code == 400


def test_a_nul_inside_a_path_is_nowhere(client: Client, db: None) -> None:
    assert problem_of(client.get("/api/v1/agents/a%00b"))["code"] == "not_found"


def test_a_number_beyond_64_bits_in_a_problem_is_written_all_the_same(rf: RequestFactory) -> None:
    document = problem_of(api.on_exception(rf.get(ME), NotFound("None.", params={"n": 10**30})))
    assert document["params"] == {"n": 10**30}


def test_a_body_larger_than_the_limit_is_refused(
    small_api: Callable[..., Any], settings: Settings
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    document = problem_of(small_api(json.dumps({"amount": 5, "note": "x" * 100})))
    assert (document["status"], document["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1/", "/api/v1/nothing", "/api/v1/me/", "/api/v2/me", "/api/v1/me\x00"]
)
def test_an_unknown_address_below_the_api_is_a_problem_too(
    client: Client, db: None, path: str
) -> None:
    for method in (client.get, client.post, client.delete):
        assert problem_of(method(path))["code"] == "not_found"


def test_a_method_that_an_address_does_not_take_is_named(client: Client, db: None) -> None:
    response = client.delete(ME)
    assert problem_of(response)["code"] == "method_not_allowed"
    assert response["Allow"] == "GET"
    assert int(response["Content-Length"]) == len(response.content)


def test_a_host_that_is_not_ours_is_a_problem(client: Client, db: None) -> None:
    assert problem_of(client.get(ME, headers={"Host": "elsewhere.example"}))["status"] == 400


def test_a_failure_before_the_api_is_a_problem_that_tells_nothing(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_request: object) -> None:
        raise RuntimeError("the inside of the house")

    monkeypatch.setattr("accounts.middleware.identify", broken)
    response = Client(raise_request_exception=False).get(ME)
    assert problem_of(response)["code"] == "internal_error"
    assert b"inside" not in response.content


def test_a_page_keeps_its_own_errors(client: Client, db: None) -> None:
    response = client.get("/no-such-page/")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_access_that_is_refused_leaves_an_event(
    client: Client, login: Login, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_user: User) -> list[str]:
        raise PermissionMissing("manage_people")

    monkeypatch.setattr(accounts_api, "roles_of", refuse)
    assert problem_of(login(client, reviewer).get(ME))["code"] == "permission_missing"
    body = json.loads(bytes(Event.objects.of_type("access.refused").get().body))
    assert body["facts"] == {"door": "api:read_me", "method": "GET", "permission": "manage_people"}
    assert body["outcome"] == {"decision": "refused", "reason_code": "permission_missing"}
    assert body["stream"] == f"person:{reviewer.pk}"


def test_the_document_says_that_every_operation_may_answer_with_a_problem(
    client: Client, db: None
) -> None:
    document = client.get("/api/v1/openapi.json").json()
    ids = []
    for path, operations in document["paths"].items():
        assert path.startswith("/api/v1/")
        for operation in operations.values():
            ids.append(operation["operationId"])
            content = operation["responses"]["default"]["content"]
            assert content == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
            # Callbacks are signed by the provider, who has no account.
            signed = path.startswith("/api/v1/callbacks/")
            assert signed or {"BearerToken": []} in operation["security"]
            assert operation["summary"]
    assert len(ids) == len(set(ids))
    assert "/api/v1/me" in document["paths"]
    schemes = document["components"]["securitySchemes"]
    assert schemes["BearerToken"] == {"type": "http", "scheme": "bearer"}
    assert schemes["BrowserSession"] == {"type": "apiKey", "in": "cookie", "name": "sessionid"}


def test_every_reference_in_the_document_leads_somewhere(client: Client, db: None) -> None:
    text = client.get("/api/v1/openapi.json").content.decode()
    schemas = json.loads(text)["components"]["schemas"]
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert referred <= set(schemas)


def test_the_page_documents_every_operation_and_loads_nothing_from_afar(
    client: Client, db: None
) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    page = client.get("/api/v1/docs").content.decode()
    for path, operations in paths.items():
        for method in operations:
            assert f"{method.upper()} {path}" in page
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=| style=", page)
