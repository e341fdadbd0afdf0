"""The pages of a reviewer and an operator who read German: words, dates and money, in one walk."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from accounts.models import User
from approvals.models import ApprovalRequest
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
