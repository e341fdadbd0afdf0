"""Rows that a page asks for by name, after a hint: what one costs is one row, whatever the list holds."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.urls import reverse

from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.conftest import Counter
from tests.model_server import call, calls
from tests.pages.test_inbox import PAY, signed_in


def test_rows_asked_for_by_name_come_alone_with_the_numbers_and_what_became_of_the_others(
    counter: Counter, reviewer: User, second_reviewer: User, outsider: User
) -> None:
    first, second, third = (
        counter.request(counter.start([calls(call("pay", PAY))])) for _ in "abc"
    )
    counter.decide(second, Verdict.REJECT, second_reviewer, reason="Paid already.")
    asked = {"id": [str(first.pk), str(second.pk)]}
    text = signed_in(reviewer).get(reverse("inbox-rows"), asked).content.decode()
    listed, closed = text.split('id="closed"')
    assert f'id="row-{first.pk}"' in listed
    assert f'id="row-{second.pk}"' in closed
    assert "Rejected by" in closed
    assert str(third.pk) not in text
    assert "&quot;team&quot;: &quot;2&quot;" in listed
    filtered = signed_in(reviewer).get(reverse("inbox-rows"), {**asked, "q": "no such words"})
    assert f"row-{first.pk}" not in filtered.content.decode()
    assert "row-" not in signed_in(outsider).get(reverse("inbox-rows"), asked).content.decode()


@pytest.mark.parametrize("ids", [["no-id"], [str(uuid4()) for _ in range(21)]])
def test_a_name_that_is_none_and_more_than_a_page_asks_for_are_refused(
    reviewer: User, ids: list[str]
) -> None:
    assert signed_in(reviewer).get(reverse("inbox-rows"), {"id": ids}).status_code == 400


def test_rows_carry_the_order_of_their_list(counter: Counter, reviewer: User) -> None:
    requests = [counter.request(counter.start([calls(call("pay", PAY))])) for _ in range(3)]
    ApprovalRequest.objects.filter(pk=requests[0].pk).update(review_deadline=None)
    ApprovalRequest.objects.filter(pk=requests[1].pk).update(risk_rank=0)
    text = signed_in(reviewer).get(reverse("inbox-rows")).content.decode()
    orders = re.findall(r'data-order="([^"]+)"', text)
    assert len(orders) == 3
    assert orders == sorted(orders)
    assert orders[-1].startswith("~")
