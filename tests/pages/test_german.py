"""The pages of a reviewer and an operator who read German: words, dates and money, in one walk."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from accounts.models import User
from approvals.models import ApprovalRequest
from insights.services.advance import advance
from tests.harness.languages import written
from tests.harness.visible import left_in_english
from tests.model_server import call, calls, final
from tests.pages.run_fixtures import PAY, Counter, Login, desk, host, steady  # noqa: F401
from tests.pages.run_reading import text_of

#: As in `21. Nov. 2026, 14:03:09 UTC`.
GERMAN_MOMENT = re.compile(r'title="\d{1,2}\. [A-ZÄa-zä]+\.? \d{4}, \d{2}:\d{2}:\d{2} UTC"')


@pytest.fixture
def german(admin: User) -> User:
    """Somebody who sees every page, in German."""
    admin.language = "de"
    admin.save()
    return admin


def test_pages_speak_german_to_whoever_reads_german(
    counter: Counter, client: Client, login: Login, german: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="Paid.")], "Please pay.")
    request = ApprovalRequest.objects.get(run_id=run.pk)
    login(client, german)
    expected = {
        "/inbox/": ("Posteingang", "Zurückgestellt"),
        f"/requests/{request.pk}/": ("Warum angehalten wurde", "Argumente", "Was geschehen wird"),
        f"/runs/{run.pk}/": ("Wartet auf eine Person", "Lauf abbrechen"),
        "/runs/": ("Läufe", "Wartet auf eine Person"),
        "/agents/": ("Agenten",),
        "/policies/": ("Schwellen",),
        "/people/": ("Personen", "Darf Anfragen entscheiden"),
        "/settings/": ("Einstellungen", "Sprache"),
        "/insights/": ("Einblicke", "Median bis zum Ende", "Wartet jetzt, nach Dauer"),
        "/evaluations/": ("Evaluierungen", "Gespeicherte Fälle"),
    }
    moments = 0
    for path, words in expected.items():
        answer = client.get(path)
        page = answer.content.decode()
        assert (answer.status_code, answer["Content-Language"]) == (200, "de"), path
        assert '<html lang="de"' in page
        assert 'src="/static/js/words/de.js"' in page
        text = text_of(answer)
        assert [word for word in words if word not in text] == [], path
        assert not [
            words for words in ("Skip to the page", ">Sign out<", "Signed in as") if words in page
        ]
        moments += len(GERMAN_MOMENT.findall(page))
        assert not re.search(r'<time[^>]*datetime="(?!\d{4}-\d\d-\d\dT)', page)
    assert moments


def test_pages_of_runs_agents_and_figures_leave_nothing_in_english(
    counter: Counter, client: Client, login: Login, german: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="Paid.")], "Please pay.")
    other = counter.start([final(summary="Done.")], "Please look.")
    advance()
    login(client, german)
    digest = run.agent_version.digest
    paths = [
        *("/runs/", f"/runs/{run.pk}/", f"/runs/{run.pk}/?step=2", f"/runs/{run.pk}/replay/"),
        *(f"/runs/{run.pk}/fork/", f"/runs/compare/?run={run.pk}&run={other.pk}"),
        *("/agents/", f"/agents/{run.agent.slug}/", f"/agents/{run.agent.slug}/versions/{digest}/"),
        *("/evaluations/", "/evaluations/cases/", f"/runs/{other.pk}/evaluation-case/"),
        *("/insights/", "/insights/?since=2026-01-01&until=2025-01-01", "/requests/?state=waiting"),
        *("/policies/", "/policies/1/", "/inbox/?tab=decided", "/settings/second-factor/"),
    ]
    left = []
    for path in paths:
        sources = []
        for code in ("en-gb", "de"):
            User.objects.filter(pk=german.pk).update(language=code)
            answer = client.get(path)
            assert answer.status_code in (200, 422), path
            sources.append(answer.content.decode())
        left += [f"{path}: {text}" for text in left_in_english(*sources, written())]
    assert left == []
