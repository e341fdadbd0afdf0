"""A refusal is recorded although what it refused rolled back."""

import orjson
import pytest
from django.db import transaction

from audit.errors import Conflict
from audit.models import Event
from audit.services.refusals import record_refusal
from tests.audit.conftest import REVIEWER

pytestmark = pytest.mark.django_db(transaction=True)


class AlreadyDecided(Conflict):
    code = "already_decided"


def test_the_refusal_outlives_the_roll_back() -> None:
    with pytest.raises(AlreadyDecided) as caught, transaction.atomic():
        raise AlreadyDecided("Somebody called Ada decided first.")
    record_refusal(refusal=caught.value, type="decision.refused", actor=REVIEWER, stream="log")
    body = orjson.loads(bytes(Event.objects.get().body))
    assert body["outcome"] == {"decision": "refused", "reason_code": "already_decided"}
    assert "Ada" not in str(body)


def test_inside_a_transaction_it_is_refused_because_it_could_roll_back_with_it() -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        record_refusal(
            refusal=AlreadyDecided("x"), type="decision.refused", actor=REVIEWER, stream="log"
        )
    assert not Event.objects.exists()
