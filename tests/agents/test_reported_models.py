"""Another model that answers under the same name is noticed once: an event, a mail to the owners, a line on a page."""

from __future__ import annotations

from datetime import timedelta

from django.core import mail
from django.test import Client

from accounts.models import User
from agents.jobs import mail_about_model
from agents.models import ReportedModel
from agents.sweep import MAIL_OVERDUE, sweep_once
from audit.clock import database_now
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.model_server import Answer, call, completion

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def ends_as(model: object) -> Answer:
    return completion({"tool_calls": [call("abstain", {"reason": "No."})]}, model=model)


def changes() -> int:
    return Event.objects.filter(type="agent.model_changed").count()


def test_the_first_name_that_a_server_gives_is_no_change(counter: Counter) -> None:
    counter.start([ends_as("m-2026-01")])
    counter.start([ends_as("m-2026-01")])
    assert changes() == 0
    assert ReportedModel.objects.get().mail_due_at is None


def test_another_name_is_told_once_however_often_it_comes(
    counter: Counter, reviewer: User, outsider: User
) -> None:
    counter.start([ends_as("m-2026-01")])
    with counter.captured(execute=True):
        counter.start([ends_as("m-2026-06")])
        counter.start([ends_as("m-2026-01")])
        counter.start([ends_as("m-2026-06")])
    assert changes() == 1
    change = ReportedModel.objects.get(is_change=True)
    sent = mail_about_model(str(change.pk))
    assert sent == len(mail.outbox) > 0
    assert mail_about_model(str(change.pk)) == 0
    reached = {address for each in mail.outbox for address in each.to}
    assert reviewer.email in reached
    assert outsider.email not in reached
    assert "m-2026-06" in mail.outbox[0].body


def test_the_agent_s_page_shows_what_answered(counter: Counter, reviewer: User) -> None:
    counter.start([ends_as("m-2026-01")])
    counter.start([ends_as("<b>m-2026-06</b>")])
    client = Client()
    client.force_login(reviewer, backend=BACKEND)
    page = client.get("/agents/teller/").content.decode()
    assert "&lt;b&gt;m-2026-06" in page
    assert page.count("another one than before") == 1


def test_each_agent_and_each_model_is_looked_at_by_itself(counter: Counter, bank: Bank) -> None:
    counter.start([ends_as("m-2026-01")])
    host(teller(bank, models=("other",)))
    counter.start([ends_as("o-1")])
    assert changes() == 0


def test_a_server_that_does_not_say_which_model_answers_changes_nothing(counter: Counter) -> None:
    counter.start([ends_as("m-2026-01")])
    counter.start([ends_as(None)])
    counter.start([ends_as("")])
    assert changes() == 0


def test_a_mail_that_was_lost_is_swept_up(counter: Counter) -> None:
    counter.start([ends_as("m-2026-01")])
    counter.start([ends_as("m-2026-06")])
    change = ReportedModel.objects.filter(is_change=True)
    change.update(mail_due_at=database_now() - MAIL_OVERDUE - timedelta(seconds=1))
    assert sweep_once()["models_mailed"] == 1
    assert sweep_once()["models_mailed"] == 0
