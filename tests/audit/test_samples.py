"""A seeded random sample: the same for whoever draws it again, by hand too."""

import hashlib
from collections.abc import Callable
from uuid import UUID

import orjson
import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.callers import Caller
from accounts.models import User
from audit.errors import Forbidden
from audit.filters import EventFilter
from audit.models import Event
from audit.record_keeping import Sample
from audit.recorder import record
from audit.sampling import draw, fresh_seed, rank
from audit.services.draw_sample import BadSample, draw_sample
from tests.audit.conftest import REVIEWER, Record
from tests.audit.test_streams import in_thread

CallerOf = Callable[[User], Caller]
Login = Callable[[Client, User], Client]
FIRST, SECOND, THIRD = (UUID(f"01890a5d-ac96-774b-bcce-b302099a800{n}") for n in (1, 2, 3))


def test_a_rank_is_what_sha256sum_says_of_seed_and_id() -> None:
    # printf '2026-Q1%s' 01890a5d-ac96-774b-bcce-b302099a8001 | sha256sum
    by_hand = hashlib.sha256(b"2026-Q101890a5d-ac96-774b-bcce-b302099a8001").hexdigest()
    assert rank("2026-Q1", FIRST) == by_hand


def test_the_draw_is_by_rank_whatever_the_order_of_the_population() -> None:
    population = [FIRST, SECOND, THIRD]
    in_order = sorted(population, key=lambda event: rank("a", event))
    assert draw("a", 2, population) == draw("a", 2, population[::-1]) == in_order[:2]
    assert draw("a", 9, population) == in_order


def test_a_seed_that_nobody_gives_is_never_the_same() -> None:
    assert len({fresh_seed() for _ in range(50)}) == 50


@pytest.fixture
def population(recorded: Record) -> list[Event]:
    recorded(type="signout")
    return [recorded(type="request.claimed", stream="policy") for _ in range(12)]


CLAIMS = EventFilter(type="request.claimed")


def test_the_database_draws_what_anybody_draws_by_hand(
    population: list[Event], auditor: User, caller: CallerOf
) -> None:
    sample = draw_sample(chosen=CLAIMS, seed="2026-Q1", size=5, caller=caller(auditor))
    assert sample.population == 12
    assert sample.chosen == draw("2026-Q1", 5, [event.pk for event in population])


def test_what_is_recorded_later_does_not_belong_to_the_population(
    population: list[Event], recorded: Record, auditor: User, caller: CallerOf
) -> None:
    sample = draw_sample(chosen=CLAIMS, seed="2026-Q1", size=5, caller=caller(auditor))
    for _ in range(5):
        recorded(type="request.claimed")
    again = CLAIMS.applied_to(Event.objects.filter(inserted_at__lt=sample.until))
    assert again.count() == sample.population
    assert draw(sample.seed, sample.size, again.values_list("pk", flat=True)) == sample.chosen


@pytest.mark.django_db(transaction=True)
def test_what_is_written_and_not_committed_yet_never_comes_into_the_population(
    auditor: User, caller: CallerOf, recorded: Record
) -> None:
    recorded(type="request.claimed")

    def drawn() -> Sample:
        return draw_sample(chosen=CLAIMS, seed="2026-Q1", size=5, caller=caller(auditor))

    with transaction.atomic():
        record(type="request.claimed", actor=REVIEWER, stream="policy")
        sample = in_thread(drawn)
    later = CLAIMS.applied_to(Event.objects.filter(inserted_at__lt=sample.until))
    assert later.count() == sample.population == 1


def test_the_seed_stands_in_the_event_and_what_people_typed_apart(
    population: list[Event], auditor: User, caller: CallerOf
) -> None:
    sample = draw_sample(
        chosen=EventFilter(type="request.claimed", person="7"),
        seed="2026-Q1",
        size=5,
        caller=caller(auditor),
    )
    body = orjson.loads(bytes(Event.objects.get(type="sample.drawn").body))
    assert body["facts"] == {
        "sample": str(sample.pk),
        "seed": "2026-Q1",
        "size": 5,
        "population": 12,
        "until": sample.until.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "filtered_by": ["person", "type"],
    }
    assert len(body["_sd"]) == 1


@pytest.mark.parametrize(("seed", "size"), [("two words", 5), ("x" * 65, 5), ("a", 0), ("a", 1001)])
def test_a_seed_or_size_that_does_not_fit_draws_nothing(
    auditor: User, caller: CallerOf, seed: str, size: int
) -> None:
    with pytest.raises(BadSample):
        draw_sample(chosen=CLAIMS, seed=seed, size=size, caller=caller(auditor))
    assert not Sample.objects.exists()
    assert not Event.objects.filter(type="sample.drawn").exists()


def test_an_outsider_draws_nothing(outsider: User, caller: CallerOf) -> None:
    with pytest.raises(Forbidden):
        draw_sample(chosen=CLAIMS, seed="a", size=1, caller=caller(outsider))


def test_a_sample_is_drawn_looked_at_and_taken_along_in_the_browser(
    client: Client, login: Login, auditor: User, population: list[Event]
) -> None:
    page = login(client, auditor)
    form = {"type": "request.claimed", "seed": "2026-Q1", "size": "3"}
    answer = page.post(reverse("audit-sample-list"), form, follow=True)
    sample = Sample.objects.get()
    assert answer.redirect_chain == [(reverse("audit-sample", args=[sample.pk]), 302)]
    text = answer.content.decode()
    for event in sample.chosen:
        assert reverse("audit-event", args=[event]) in text
        assert rank("2026-Q1", event)[:12] in text
    rows = page.get(reverse("audit-sample-download", args=[sample.pk])).content.decode()
    ids = [line.split(",")[2].strip('"') for line in rows.split("\r\n")[1:-1]]
    assert ids == [str(event) for event in sample.chosen]
    assert str(sample.seed) in page.get(reverse("audit-sample-list")).content.decode()


def test_a_form_that_does_not_fit_says_so_at_its_field(
    client: Client, login: Login, auditor: User
) -> None:
    answer = login(client, auditor).post(
        reverse("audit-sample-list"), {"seed": "two words", "size": "3"}
    )
    assert answer.status_code == 422
    assert "A seed has 1 to 64 letters" in answer.content.decode()
