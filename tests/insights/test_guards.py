"""What keeps figures right while others change what they are made of, and whom they are told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta
from time import monotonic
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.db.models import F, ProtectedError
from django.test import Client
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from accounts.services.create_token import create_token
from agents.models import HostedAgent, Run
from agents.services.operate_agent import disable_agent
from audit.actors import Actor
from audit.clock import database_now
from audit.models import Event
from insights.links import Links
from insights.models import Alert, Figure, Progress, RunFact, Slice
from insights.people import FEWEST, loads_of
from insights.periods import between
from insights.reading import Asked, Person
from insights.services.advance import advance
from insights.services.correct_failure import correct_failure
from insights.services.gather import Gathering, progress_or_none
from insights.services.mail_alert import mail_alert
from insights.services.raise_alerts import raise_alerts
from insights.services.roll_up import sum_next_day
from insights.services.touch import touch
from insights.vocabulary import Failure
from tests.harness.people import person
from tests.insights.history import History
from tests.insights.test_roll_up import direct, summed
from tests.insights.test_services import failed

Made = Callable[[int], History]
Login = Callable[[Client, User], Client]


def beside(held: Callable[[], object], act: Callable[[], Any]) -> Any:
    """What `act` comes to on a connection of its own, begun after `held` and before that commits: which it does once
    the other waits for it, or has ended."""
    found: list[Any] = []

    def acted() -> None:
        try:
            found.append(act())
        finally:
            connection.close()

    thread = threading.Thread(target=acted)
    pause, ends = threading.Event(), monotonic() + 30
    with transaction.atomic():
        held()
        thread.start()
        while thread.is_alive() and not _somebody_waits():
            assert monotonic() < ends, "it neither waits nor ends"
            pause.wait(0.01)
    thread.join(timeout=30)
    return found[0]


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


@pytest.mark.django_db(transaction=True)
def test_what_changes_while_others_count_is_counted_and_kept(
    history: Made, operator: User, admin: User
) -> None:
    history(5).write(60)
    with transaction.atomic():
        progress_or_none()
    # Two do not count at once.
    assert beside(progress_or_none, advance) is False
    assert not RunFact.objects.exists()
    advance()
    fact, caller = failed(), Caller.of_session(operator)

    def correct(failure: Failure, by: Caller = caller) -> Callable[[], object]:
        return lambda: correct_failure(run_id=fact.pk, failure=failure, caller=by)

    while sum_next_day():
        pass
    # Its day is marked already: whoever sums it waits for the correction.
    touch([fact.day])
    assert beside(correct(Failure.DENIED), sum_next_day) == fact.day
    assert summed() == _with_corrections()
    # Whoever gathers the run anew does not write over what a person says meanwhile.
    Run.objects.filter(pk=fact.pk).update(step_count=F("step_count") + 1)
    beside(correct(Failure.CRASH), transaction.atomic(lambda: Gathering().count([fact.pk])))
    assert RunFact.objects.get(pk=fact.pk).failure == Failure.CRASH
    # Of two who say the same, one changes something.
    before = Event.objects.filter(type="run.failure_classified").count()
    beside(correct(Failure.LOOP), correct(Failure.LOOP, Caller.of_session(admin)))
    assert Event.objects.filter(type="run.failure_classified").count() == before + 1


def _with_corrections() -> dict[Any, tuple[int, int]]:
    """All sums, of the classes that hold now in place of those of the journal."""
    found = {key: sums for key, sums in direct().figures.items() if key[4] != "failure"}
    for fact in RunFact.objects.exclude(failure="").select_related("slice"):
        key = (fact.day, fact.slice.agent, fact.slice.version, "", "failure", fact.failure)
        found[key] = (found.get(key, (0, 0))[0] + 1, 0)
    return found


def test_what_counts_as_a_success_may_change_and_what_went_wrong_is_found(
    history: Made, settings: Settings
) -> None:
    history(3).write(90)
    advance()
    before = summed()
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"success_hours": 1})
    advance()
    assert summed() == direct().figures != before
    # A day whose sums somebody damaged is made anew in its turn.
    day = RunFact.objects.latest("day").day - timedelta(days=40)
    day = RunFact.objects.filter(day__lt=day).latest("day").day
    Figure.objects.filter(day=day, span="d").update(number=F("number") + 1)
    Progress.objects.update(patrolled=day + timedelta(days=1))
    advance()
    advance()
    assert summed() == direct().figures


def test_an_agent_that_is_switched_off_or_not_installed_is_counted_like_others(
    history: Made, client: Client, login: Login, admin: User, support: ReviewGroup
) -> None:
    history(4).write(70)
    advance()
    before = summed()
    # Of these two one is installed here, the other is not.
    for slug in ("payables", "refund-desk"):
        disable_agent(slug=slug, reason="An incident.", caller=Actor.system("tests"))
    HostedAgent.objects.filter(slug="payables").update(owner_group=support, title="Gone")
    # All of it is counted anew, from the first run on.
    for derived in (Progress, RunFact, Figure):
        derived.objects.all().delete()
    advance()
    found = direct().figures
    assert summed() == found == before
    login(client, admin)
    told = client.get("/api/v1/insights?period=year&step=month&agent=payables").json()
    started = [n for key, (n, _) in found.items() if (key[1], key[4]) == ("payables", "started")]
    assert told["runs"]["started"] == sum(started) > 0
    # What it did stays: an agent with runs is never deleted.
    with pytest.raises(ProtectedError):
        HostedAgent.objects.get(slug="payables").delete()


def cost(slug: str, back: int, each: int, runs: int) -> Figure:
    """So many successes of an agent, so many days ago."""
    day = database_now().date() - timedelta(days=back)
    of, _ = Slice.objects.get_or_create(agent=slug, version=f"sha256:{slug}", tool="", category="")
    return Figure(
        span="d",
        day=day,
        measure="result",
        slice=of,
        key="success",
        number=runs,
        total=each * runs,
    )


def test_an_alert_is_of_today_and_of_nobody_else_and_goes_to_those_who_own_the_agent(
    history: Made, finance: ReviewGroup, support: ReviewGroup
) -> None:
    history(6)
    past = [cost("refund-desk", back, 100, 20) for back in (2, 3, 4)]
    yesterday = cost("refund-desk", 1, 900, 20)
    # Nothing is known of what this one used to cost.
    Figure.objects.bulk_create([*past, yesterday, cost("payables", 0, 900, 20)])
    assert raise_alerts() == 0
    Figure.objects.bulk_create([cost("refund-desk", 0, 2_000, 20)])
    assert raise_alerts() == 1
    for name, group, active in (
        ("owner", finance, True),
        ("left", finance, False),
        ("other", support, True),
    ):
        somebody = person(name, "reviewer", groups=(group,))
        User.objects.filter(pk=somebody.pk).update(is_active=active, email=f"{name}@example.test")
    assert mail_alert(alert_id=Alert.objects.get().pk) == 1
    assert [letter.to for letter in mail.outbox] == [["owner@example.test"]]


class _Two:
    """Somebody who approved everything now, and so many of as many before."""

    def __init__(self, now: int, before: int, approved: int) -> None:
        self._person = Person(1, "One", now, now, before, approved, 0, 0, 0, 0)

    def people(self) -> list[Person]:
        return [self._person]


@pytest.mark.parametrize(
    ("now", "before", "approved", "drift", "drifts"),
    [
        (FEWEST, FEWEST, FEWEST - 2, 0.1, True),
        (FEWEST, FEWEST, FEWEST - 1, 0.05, False),
        (FEWEST - 1, FEWEST, 0, None, False),
        (FEWEST, FEWEST - 1, 0, None, False),
    ],
)
def test_a_drift_is_one_of_enough_verdicts(
    now: int, before: int, approved: int, drift: float | None, drifts: bool
) -> None:
    day = date(2026, 2, 3)
    (load,) = loads_of(_Two(now, before, approved), Links(Asked(between(day, day)), requests=True))  # type: ignore[arg-type]
    assert load.drift is None if drift is None else load.drift == pytest.approx(drift)
    assert load.drifts is drifts


def test_a_program_reads_figures_with_the_scope_that_reads(client: Client, auditor: User) -> None:
    codes = []
    for scope in ("audit", "read"):
        made = create_token(
            person=auditor, name=scope, scopes=[scope], caller=Actor.system("tests")
        )
        headers = {"Authorization": f"Bearer {made.bearer}"}
        answer = client.get("/api/v1/insights", headers=headers)
        codes.append((answer.status_code, answer.json().get("code")))
    assert codes == [(403, "scope_missing"), (200, None)]
