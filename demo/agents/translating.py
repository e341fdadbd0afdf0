"""What goes wrong in the shop and at its payment provider, in a tool's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from agents.authoring import Retryable, Terminal
from demo.errors import ProviderBusy, ShopError
from demo.payments import PaymentProvider


def provider() -> PaymentProvider:
    """The payment provider that the settings name."""
    return PaymentProvider(settings.COUNTERSIGN.demo_provider_url)


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done is for the model to read, and what may be done later is tried again.

    A lost answer passes as it is: nobody knows what came of the call.
    """
    try:
        yield
    except ShopError as problem:
        raise Terminal(str(problem)) from problem
    except ProviderBusy as problem:
        raise Retryable(str(problem)) from problem
