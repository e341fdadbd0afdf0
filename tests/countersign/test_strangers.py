"""Somebody who is signed in and has no role reaches nothing of anybody's by its id, at any address.

A new address with an id in it is walked without being listed; one whose id nobody can fill in fails the test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.callers import Caller
from accounts.models import User
from accounts.services.create_token import create_token
from accounts.services.name_stand_in import name_stand_in
from agents.models import Step
from agents.services.set_switch import set_switch
from agents.states import SwitchScope
from approvals.models import SavedView
from approvals.services.drafts import begin_draft
from approvals.services.policies import current
from audit.actors import Actor
from audit.clock import database_now
from audit.filters import EventFilter
from audit.models import Event, SubjectKey
from audit.record_keeping import ErasureReason, HoldScope
from audit.services.ask_export import ask_export
from audit.services.draw_sample import draw_sample
from audit.services.hold import set_hold
from audit.services.redact import propose_erasure
from audit.services.verify_log import ask_verification
from countersign.api import api
from evaluations.models import Evaluation, SavedCase
from tests.agents.conftest import Counter, bank, bystander, counter, model  # noqa: F401
from tests.harness.factors import give_app
from tests.harness.people import PASSWORD, person
from tests.model_server import call, calls, judged

ANY_UUID = "01890a5d-ac96-774b-bcce-b302099a8057"
#: How somebody is told that a thing is not there, not for them, or not asked for in this way.
SHUT = {403, 404, 405}
#: Lead to the page of the run whatever it is, which is walked itself; and end none but one's own sessions, saying so
#: alike of those of others and of none: tests/accounts/test_sessions.py.
OPEN_TO_ALL = {"run-goal", "run-message", "session-end"}
#: What changes by looking: no content of anybody's.
NOT_COMPARED = {"django_session", "accounts_cache", "accounts_signedin", "audit_stream"}


@pytest.fixture
def of_others(
    counter: Counter,  # noqa: F811
    operator: User,
    reviewer: User,
    second_reviewer: User,
    admin: User,
    auditor: User,
) -> dict[str, object]:
    """One of everything, of other people; ids by what addresses call them."""
    run = counter.start([calls(call("pay", judged({"account": "A1", "amount": "42.00"})))])
    request = counter.request(run)
    off = set_switch(
        scope=SwitchScope.AGENT, agent="teller", reason="A test.", caller=Caller.of_session(admin)
    )
    keeper = Caller.of_session(person("keeper", "records-keeper"))
    reads = Caller.of_session(auditor)
    now = database_now()
    absence = name_stand_in(
        person=reviewer,
        stand_in=second_reviewer,
        starts_at=now,
        ends_at=now + timedelta(days=1),
        caller=Caller.of_session(reviewer),
    )
    published = current()
    draft = begin_draft(
        document=published.policy,
        base_version=published.version,
        caller=Caller.of_session(admin),
    )
    subject = str(SubjectKey.objects.values_list("subject", flat=True)[0])
    made = create_token(person=reviewer, name="theirs", caller=Actor.system("tests"))
    export = ask_export(chosen=EventFilter(), file_format="jsonl", caller=reads, wake=False)
    hold = set_hold(
        matter="17", why="A suit.", scope=HoldScope.PERSON, target=str(reviewer.pk), caller=keeper
    )
    run.refresh_from_db()
    evaluation = Evaluation.objects.create(
        agent=run.agent, agent_version=run.agent_version, suite="theirs", suite_digest="sha256:x",
        suite_document={}, started_by=operator, started_at=now, cases=1,
        lease_expires_at=now + timedelta(hours=1),
    )  # fmt: skip
    case = SavedCase.objects.create(
        agent=run.agent, suite="theirs", name="One", document={}, saved_by=operator,
        created_at=now, saved_at=now,
    )  # fmt: skip
    view = SavedView.objects.create(user=reviewer, name="Mine", query="tab=mine")
    return {
        "request": request.pk,
        "run": run.pk,
        "seq": Step.objects.filter(run=run).order_by("seq")[0].seq,
        "kill-switch": off.pk,
        "absence": absence.pk,
        "draft": draft.pk,
        "token": made.token.pk,
        "second-factor": give_app(reviewer).pk,
        "person": reviewer.pk,
        "saved-view": view.pk,
        "audit-export": export.pk,
        "audit-hold": hold.pk,
        "audit-sample": draw_sample(chosen=EventFilter(), seed="s", size=3, caller=reads).pk,
        "audit-erasure": propose_erasure(
            subject=subject, reason=ErasureReason.ASKED, caller=keeper
        ).pk,
        "audit-verification": ask_verification(caller=reads).pk,
        "audit-event": Event.objects.filter(run=run.pk)[0].pk,
        "policy": published.version,
        "evaluation": evaluation.pk,
        "evaluation-case": case.pk,
    }


def filled(route: str, name: str, ids: dict[str, object]) -> str:
    """The address with the ids of others in it."""
    #: By the part before it, or by what the API calls it.
    by_part = {
        "requests": "request", "runs": "run", "approvals": "request", "people": "person",
        "drafts": "draft", "absences": "absence", "tokens": "token", "views": "saved-view",
        "passkeys": "second-factor", "second-factor": "second-factor", "exports": "audit-export",
        "holds": "audit-hold", "samples": "audit-sample", "erasures": "audit-erasure",
        "checks": "audit-verification", "verifications": "audit-verification",
        "events": "audit-event", "kill-switches": "kill-switch", "steps": "seq",
        "policies": "policy", "evaluations": "evaluation", "cases": "evaluation-case",
        "evaluation-cases": "evaluation-case",
    }  # fmt: skip
    plain = {
        "agents": "teller", "versions": "x", "calendars": "working-week", "reasons": "wrong_amount",
        "rules": "x", "baseline": "0", "windows": "1", "effects": ANY_UUID, "memory": ANY_UUID,
        "memories": ANY_UUID, "sticky": ANY_UUID, "sticky-approvals": ANY_UUID,
        "simulations": ANY_UUID, "alerts": "teller", "suites": "teller", "evaluation-suites": "teller",
        "teller": "theirs", "sessions": "0" * 32,
    }  # fmt: skip
    path = ""
    for part in re.split(r"(?<=/)", route):
        if "<" not in part:
            path += part
            continue
        before = path.rstrip("/").rpartition("/")[2]
        assert before in by_part or before in plain, f"{name}: whose id stands in {route}?"
        given = ids[by_part[before]] if before in by_part else plain[before]
        path += re.sub(r"<[^>]+>", str(given), part)
    return f"/{path}"


def addresses(patterns: list[Any], prefix: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """Every address with an id in it, and its name; those of the API come with their methods below."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.namespace not in ("admin", "api"):
                yield from addresses(pattern.url_patterns, route, space)
        elif isinstance(pattern, URLPattern) and "<" in route and "?P<" not in route:
            yield route, str(pattern.name)


PAGES = sorted(set(addresses(get_resolver().url_patterns)))
OPERATIONS = sorted(
    (method, f"api/v1/{path}".replace("//", "/").replace("{", "<").replace("}", ">"), view.url_name)
    for router in api._get_bound_routers()
    for path, view in router.path_operations.items()
    for operation in view.operations
    for method in operation.methods
    # Signed messages and hashes: tests/agents/test_callbacks.py, tests/audit/test_tlog.py.
    if "{" in path and "callbacks" not in path and "tlog" not in path
)
#: What the API's operations take, as far as it is needed to come to whose it is.
BODIES: dict[str, dict[str, object]] = {
    "decisions": {
        "verdict": "reject", "revision": 1, "digest": "sha256:" + "0" * 64,
        "shown_sha256": "sha256:" + "0" * 64, "nonce": "n" * 20, "reason": "no",
    },
    "comments": {"text": "hello"},
    "extend": {"hours": 1, "reason": "why"},
    "messages": {"text": "hello"},
    "goal": {"goal": "another", "text": "another"},
    "roll-back": {"why": "why"},
    "disable": {"reason": "why"},
    "limits": {},
}  # fmt: skip


POSTED = {"reason": "x", "verdict": "approve", "name": "x", "text": "x", "action": "rename"}


def everything() -> dict[str, str]:
    """A digest of each table, but of what looking changes."""
    found = {}
    with connection.cursor() as cursor:
        for table in {each._meta.db_table for each in apps.get_models() if each._meta.managed}:
            if table in NOT_COMPARED or table.startswith(("audit_", "django_", "axes_")):
                continue
            cursor.execute(
                f"SELECT md5(coalesce(string_agg(row::text, ' ' ORDER BY row::text), '')) FROM {table} AS row"
            )
            found[table] = str(cursor.fetchone()[0])
    return found


def test_no_page_shows_or_changes_what_is_somebody_elses(
    of_others: dict[str, object],
    outsider: User,
    client: Client,
    login: Callable[[Client, User], Client],
) -> None:
    login(client, outsider)
    # Nor does it help to have shown that it is really them.
    client.post("/settings/second-factor/password/", {"password": PASSWORD})
    before = everything()
    open_doors = []
    for route, name in PAGES:
        path = filled(route, name, of_others)
        for answer in (client.get(path), client.post(path, POSTED)):
            if answer.status_code not in SHUT and name not in OPEN_TO_ALL:
                open_doors.append(f"{answer.wsgi_request.method} {name}: {answer.status_code}")
    assert not open_doors, "\n".join(open_doors)
    assert everything() == before


@pytest.mark.parametrize("by_token", [False, True])
def test_no_operation_shows_or_changes_what_is_somebody_elses(
    of_others: dict[str, object],
    outsider: User,
    client: Client,
    login: Callable[[Client, User], Client],
    by_token: bool,
) -> None:
    if by_token:
        made = create_token(person=outsider, name="mine", caller=Actor.system("tests"))
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {made.bearer}"
    else:
        login(client, outsider)
    before = everything()
    open_doors = []
    for method, route, name in OPERATIONS:
        path = filled(route, str(name), of_others)
        body = json.dumps(BODIES.get(route.rpartition("/")[2], {}))
        answer = client.generic(method, path, body, "application/json")
        # Some say first that the body does not fit, which is the same whosever it is.
        shut = SHUT | ({422} if method in ("POST", "PUT") else set())
        if answer.status_code not in shut and f"api:{name}" not in OPEN_TO_ALL:
            open_doors.append(f"{method} {path}: {answer.status_code}")
    assert not open_doors, "\n".join(open_doors)
    after = everything()
    if by_token:
        # The first use of the token is noted.
        after["accounts_apitoken"] = before["accounts_apitoken"]
    assert after == before
