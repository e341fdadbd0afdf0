"""Who has a request open: for those who may see it, for as long as they look, and no part of the record."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.test import Client
from django.urls import reverse
from redis import Redis

from accounts.hints import CHANNEL, to_person
from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.services.claim import claim
from approvals.services.decide import decide
from audit.models import Event
from tests.approvals.conftest import Opener
from tests.approvals.till import by, verdict_on
from tests.harness.browser import BACKEND

PATIENCE = 10


def told(listener: Any) -> list[tuple[list[str], str]]:
    """Whom the published hints are for and what they say, until none comes for a while."""
    found = []
    while (message := listener.get_message(timeout=0.3)) is not None:
        body = orjson.loads(message["data"])
        found.append((body["to"], body["hint"]["kind"]))
    return found


@pytest.fixture
def at_work(redis_client: Redis) -> Any:
    """`at_work(person)`: somebody's page, which says that a request is open in it."""

    def page(person: User) -> Any:
        client = Client()
        client.force_login(person, backend=BACKEND)

        def at(request: ApprovalRequest, **posted: str) -> Any:
            return client.post(reverse("request-presence", kwargs={"pk": request.pk}), posted)

        at.reads = lambda request: client.get(  # type: ignore[attr-defined]
            reverse("request-presence", kwargs={"pk": request.pk})
        )
        return at

    return page


def test_those_who_have_it_open_read_of_each_other_and_not_of_themselves(
    opened: Opener, at_work: Any, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    first, second = at_work(reviewer), at_work(second_reviewer)
    assert "open" not in first(request).content.decode()
    assert "reviewer has this open too" in second(request).content.decode()
    assert "second-reviewer has this open too" in first(request).content.decode()
    assert second(request, gone="1").status_code == 204
    assert "open" not in first(request).content.decode()


def test_a_lease_that_is_not_renewed_ends_by_itself(
    opened: Opener, at_work: Any, reviewer: User, second_reviewer: User, settings: Any
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"presence_seconds": -1})
    request = opened()
    assert at_work(reviewer)(request).status_code == 200
    assert "open" not in at_work(second_reviewer)(request).content.decode()


def test_who_may_not_see_the_request_learns_nothing_and_who_may_not_decide_is_not_announced(
    opened: Opener, at_work: Any, reviewer: User, auditor: User, outsider: User
) -> None:
    request = opened()
    at_work(reviewer)(request)
    stranger = at_work(outsider)
    assert stranger(request).status_code == stranger.reads(request).status_code == 404
    looks = at_work(auditor)
    assert "reviewer has this open too" in looks.reads(request).content.decode()
    assert looks(request).status_code == 403
    assert "auditor" not in at_work(reviewer)(request).content.decode()


def test_whoever_has_claimed_it_is_named_by_the_claim_alone(
    opened: Opener, at_work: Any, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    at_work(reviewer)(request)
    claim(request_id=request.pk, caller=by(reviewer))
    assert "open" not in at_work(second_reviewer)(request).content.decode()


def test_only_those_who_have_it_open_are_hinted_at_who_comes_and_goes(
    opened: Opener, at_work: Any, reviewer: User, second_reviewer: User, redis_client: Redis
) -> None:
    request = opened()
    first, second = at_work(reviewer), at_work(second_reviewer)
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(CHANNEL)
    listener.get_message(timeout=PATIENCE)
    first(request)
    second(request)
    second(request)
    second(request, gone="1")
    heard = [each for each in told(listener) if each[1] in ("arrived", "left")]
    assert heard == [([to_person(reviewer.pk)], "arrived"), ([to_person(reviewer.pk)], "left")]


def test_it_is_no_part_of_the_record_and_ends_with_the_decision(
    opened: Opener, at_work: Any, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    page = at_work(reviewer)
    events, version = Event.objects.count(), request.version
    page(request)
    request.refresh_from_db()
    assert (Event.objects.count(), request.version) == (events, version)
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(second_reviewer))
    assert page(request).status_code == 204
    assert page(request).content == b""
    assert page(request, gone="1").status_code == 204


def test_a_redis_that_is_away_leaves_the_line_out_and_says_so(
    opened: Opener, at_work: Any, reviewer: User, settings: Any
) -> None:
    request = opened()
    page = at_work(reviewer)
    away = settings.COUNTERSIGN.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    settings.COUNTERSIGN = away
    assert page(request).status_code == 503
