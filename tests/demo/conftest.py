"""The shop and its payment provider."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.models import Order
from demo.payments import PaymentProvider
from demo.services.stock_shop import stock_shop
from tests.demo.running_provider import Process, running


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Process]:
    """A payment provider of this test's own."""
    with running(tmp_path / "provider") as process:
        yield process


@pytest.fixture
def payments(provider: Process) -> PaymentProvider:
    """A client of the test's provider."""
    return PaymentProvider(provider.url)


@pytest.fixture
def shop(db: None) -> None:
    """The shop with all its orders."""
    stock_shop(today=datetime.now(UTC).date())


@pytest.fixture
def tablets(shop: None) -> Order:
    """The order of the first example: many tablets, delivered lately, nothing refunded."""
    return Order.objects.with_everything().get(number="ORD-10001")
