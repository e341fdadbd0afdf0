"""What changes after a run was counted, what people say of it, and whom the figures alert."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks
from redis import Redis

from accounts.callers import Caller
from accounts.errors import PermissionMissing
from accounts.models import ReviewGroup, User
from agents.errors import UnknownRun
from agents.models import EffectRecord, HostedAgent, ReportedModel, Run
from audit import told
from audit.clock import database_now
from audit.models import Event
from insights import queues, sweep
from insights.errors import NotFailed
from insights.jobs import mail_about_alert
from insights.models import Alert, Figure, Progress, RunFact, Slice
from insights.services import gather
from insights.services.advance import advance
from insights.services.correct_failure import correct_failure
from insights.services.mail_alert import mail_alert
from insights.services.raise_alerts import raise_alerts
from insights.services.set_thresholds import set_thresholds
from insights.vocabulary import Failure
from tests.insights.history import History
from tests.insights.test_roll_up import direct, summed

Made = Callable[[int], History]
Login = Callable[[Client, User], Client]


def failed() -> RunFact:
    fact = RunFact.objects.exclude(failure="").exclude(failure=Failure.DENIED.value).first()
    assert fact is not None
    return fact


def test_what_happens_after_a_run_was_counted_reaches_its_day(history: Made) -> None:
    made = history(3)
    made.write(320)
    advance()
    before = summed()
    sound = RunFact.objects.filter(provisional=True).values_list("run_id", flat=True)
    effects = list(EffectRecord.objects.filter(run__in=sound).exclude(state="bounced"))
    assert len({effect.run_id for effect in effects}) > 1
    made._undo(effects[0], timedelta(seconds=1))
    bounced = next(each for each in effects if each.run_id != effects[0].run_id)
    EffectRecord.objects.filter(pk=bounced.pk).update(state="bounced")
    # The undo is seen by its run; a bounce is when the run is looked at again.
    RunFact.objects.filter(pk=bounced.run_id).update(look_at=database_now())
    late = Run.objects.filter(state="running").first()
    assert late is not None
    Run.objects.filter(pk=late.pk).update(
        state="succeeded", outcome="done", finished_at=late.created_at + timedelta(hours=1)
    )
    Progress.objects.update(ended_until=late.created_at)
    advance()
    assert summed() == direct().figures != before
    assert RunFact.objects.get(pk=effects[0].run_id).failure == Failure.UNDONE
    assert RunFact.objects.get(pk=bounced.run_id).failure == Failure.BOUNCED


def test_a_corrected_class_holds_and_the_figures_follow(
    history: Made, operator: User, auditor: User, outsider: User
) -> None:
    history(5).write(60)
    advance()
    fact = failed()
    where = (fact.day, fact.slice.agent, fact.slice.version, "", "failure")
    before = summed().get((*where, "denied"), (0, 0))[0]
    for _ in range(2):
        correct_failure(run_id=fact.pk, failure=Failure.DENIED, caller=Caller.of_session(operator))
    # Gathering it again keeps what the person said.
    gathering = gather.Gathering()
    gathering.count([fact.pk])
    advance()
    now = RunFact.objects.get(pk=fact.pk)
    assert (now.failure, now.assigned) == (Failure.DENIED, fact.assigned)
    assert summed()[(*where, "denied")][0] == before + 1
    (event,) = Event.objects.filter(type="run.failure_classified")
    assert event.run == fact.pk
    with pytest.raises(PermissionMissing):
        correct_failure(run_id=fact.pk, failure=Failure.LOOP, caller=Caller.of_session(auditor))
    with pytest.raises(UnknownRun):
        correct_failure(run_id=fact.pk, failure=Failure.LOOP, caller=Caller.of_session(outsider))
    sound = RunFact.objects.filter(failure="").first()
    assert sound is not None
    with pytest.raises(NotFailed):
        correct_failure(run_id=sound.pk, failure=Failure.LOOP, caller=Caller.of_session(operator))


def test_a_class_is_corrected_on_a_page_and_by_the_api(
    history: Made, client: Client, login: Login, operator: User, outsider: User
) -> None:
    history(5).write(40)
    advance()
    fact = failed()
    address, by_api = f"/runs/{fact.pk}/failure/", f"/api/v1/runs/{fact.pk}/failure"
    login(client, operator)
    # What its made-up journal holds is no page's to show.
    Run.objects.get(pk=fact.pk).steps.all().delete()
    assert f'href="{address}"' in client.get(f"/runs/{fact.pk}/").content.decode()
    assert client.get(address).status_code == 200
    assert client.post(address, {"failure": "bad weather"}).status_code == 422
    assert client.post(address, {"failure": "crash"}).status_code == 302
    assert RunFact.objects.get(pk=fact.pk).failure == "crash"
    answer = client.put(by_api, {"failure": "loop"}, content_type="application/json")
    assert (answer.status_code, answer.json()["failure"]) == (200, "loop")
    login(client, outsider)
    assert client.get(address).status_code == 404
    assert (
        client.put(by_api, {"failure": "crash"}, content_type="application/json").status_code == 404
    )


def of_today() -> None:
    """All runs that ended began and ended today."""
    now = database_now()
    ended = Run.objects.filter(finished_at__isnull=False, undoes__isnull=True)
    ended.update(created_at=now, finished_at=now)
    advance()


def test_owners_are_alerted_once_a_day_of_each_thing(
    history: Made,
    finance: ReviewGroup,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    ReviewGroup.objects.filter(pk=finance.pk).update(email="owners@example.test")
    history(6).write(90)
    agent = HostedAgent.objects.get(slug="payables")
    now = database_now()
    ReportedModel.objects.create(
        agent=agent, asked="m", reported="n", first_seen_at=now, is_change=True
    )
    of_today()
    advance()
    kinds = Alert.objects.values_list("agent__slug", "kind")
    assert set(kinds) == {
        ("payables", "failures"),
        ("refund-desk", "failures"),
        ("payables", "model"),
    }
    events = Event.objects.filter(type="agent.alerted")
    # Another model was told of when it answered.
    assert events.count() == 2
    alert = Alert.objects.get(agent=agent, kind="failures")
    assert mail_alert(alert_id=alert.pk) == 1
    assert mail_alert(alert_id=alert.pk) == 0
    (sent,) = mail.outbox
    assert sent.to == ["owners@example.test"]
    assert f"Of the {alert.runs} runs" in sent.body
    assert f"/insights/?agent=payables&since={alert.day}" in sent.body


@dataclass(frozen=True)
class Cost:
    """What runs of one agent cost: today's, and those of so many days before; in millionths."""

    today: int
    before: int
    days: int
    runs: int = 20
    succeeded: int = 20

    def write(self) -> None:
        """As sums, which alerts are made of."""
        slice_of, _ = Slice.objects.get_or_create(
            agent="payables", version="sha256:1", tool="", defaults={"category": "workflow"}
        )
        Figure.objects.filter(slice=slice_of).delete()
        today = database_now().date()
        failed = self.runs - self.succeeded
        figures = [(today, "success", self.succeeded, self.succeeded * self.today)]
        figures += [(today, "failed", failed, failed * self.today)] if failed else []
        for back in range(1, self.days + 1):
            figures.append((today - timedelta(days=back), "success", 5, 5 * self.before))
        Figure.objects.bulk_create(
            Figure(
                span="d", day=day, measure="result", slice=slice_of, key=key, number=n, total=total
            )
            for day, key, n, total in figures
        )


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (Cost(today=301, before=100, days=3), {"cost": (301, 300)}),
        (Cost(today=300, before=100, days=3), {}),
        (Cost(today=900, before=100, days=2), {}),
        (Cost(today=900, before=0, days=9), {}),
        (Cost(today=900, before=100, days=3, runs=19, succeeded=19), {}),
        (Cost(today=100, before=100, days=3, runs=20, succeeded=14), {"failures": (30, 30)}),
        (Cost(today=100, before=100, days=3, runs=20, succeeded=15), {}),
        (
            Cost(today=1_000, before=1_000, days=3, runs=40, succeeded=29),
            {"cost_of_success": (1_379, 1_200)},
        ),
    ],
)
def test_owners_hear_once_of_what_goes_beyond_a_limit_and_of_nothing_below_it(
    history: Made,
    finance: ReviewGroup,
    redis_client: Redis,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    admin: User,
    given: Cost,
    kinds: dict[str, tuple[int, int]],
) -> None:
    ReviewGroup.objects.filter(pk=finance.pk).update(email="owners@example.test")
    history(6)
    if "cost_of_success" in kinds:
        set_thresholds(
            slug="payables",
            failure_percent=None,
            cost_micros=1_200,
            cost_times=None,
            caller=Caller.of_session(admin),
        )
    given.write()
    with django_capture_on_commit_callbacks(execute=True):
        assert raise_alerts() == len(kinds)
        # A minute later, and a minute after that, all of it is still so.
        assert raise_alerts() == raise_alerts() == 0
    found = {each.kind: (each.used, each.allowed) for each in Alert.objects.all()}
    assert found == kinds
    assert Event.objects.filter(type="agent.alerted", stream="agent:payables").count() == len(kinds)
    queued = told.queue(queues.BACKGROUND).jobs
    assert [job.args for job in queued] == [(str(each.pk),) for each in Alert.objects.all()]
    for job in queued:
        assert mail_about_alert(*job.args) == 1
        # Had the first one died after it was sent, there would be no second letter.
        assert mail_about_alert(*job.args) == 0
    assert [letter.to for letter in mail.outbox] == [["owners@example.test"]] * len(kinds)


def test_a_lost_letter_is_sent_by_the_sweep_and_yesterday_s_alert_keeps_nothing_quiet_today(
    history: Made, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(6)
    Cost(today=301, before=100, days=3).write()
    raise_alerts()
    alert = Alert.objects.get()
    monkeypatch.setattr(sweep, "_counted_at", [])
    sweep.sweep()
    # Whoever is to send it may still be at it.
    names = [job.func_name for job in told.queue(queues.BACKGROUND).jobs]
    assert names == ["insights.jobs.count"]
    Alert.objects.update(mail_due_at=database_now() - sweep.MAIL_OVERDUE)
    for _ in range(2):
        monkeypatch.setattr(sweep, "_counted_at", [])
        sweep.sweep()
    (letter,) = told.queue(queues.BACKGROUND).jobs[1:]
    assert letter.args == (str(alert.pk),)
    Alert.objects.update(day=alert.day - timedelta(days=1))
    assert raise_alerts() == 1


def test_a_run_that_ended_unseen_is_found_when_its_day_is_looked_at_again(history: Made) -> None:
    history(3).write(40)
    advance()
    before = summed()
    lost = RunFact.objects.exclude(day=RunFact.objects.latest("day").day).latest("day")
    RunFact.objects.filter(pk=lost.pk).delete()
    # Its end lies far behind what was gathered already.
    Progress.objects.update(patrolled=lost.day + timedelta(days=1))
    advance()
    advance()
    assert summed() == before


def test_an_agent_has_thresholds_of_its_own(
    history: Made, client: Client, login: Login, admin: User, operator: User
) -> None:
    history(6).write(90)
    login(client, operator)
    body = {"failure_percent": 0, "cost_micros": 1}
    by_api = "/api/v1/agents/payables/alerts"
    assert client.put(by_api, body, content_type="application/json").status_code == 403
    login(client, admin)
    assert client.put(by_api, body, content_type="application/json").status_code == 200
    page = client.post(
        "/insights/alerts/refund-desk/", {"failure_percent": "0", "cost_dollars": "1000"}
    )
    assert page.status_code == 302
    wrong = client.post("/insights/alerts/refund-desk/", {"cost_times": "0.5"})
    assert wrong.status_code == 422
    assert client.get("/insights/alerts/nobody/").status_code == 404
    of_today()
    assert list(Alert.objects.values_list("agent__slug", "kind", "allowed")) == [
        ("payables", "cost_of_success", 1)
    ]
    set_events = Event.objects.filter(type="agent.alerts_set")
    assert set_events.count() == 2
    with pytest.raises(PermissionMissing):
        set_thresholds(
            slug="payables",
            failure_percent=1,
            cost_micros=None,
            cost_times=None,
            caller=Caller.of_session(operator),
        )
