"""What pages are looked at with: a parked run of the bank's teller, and requests on a live desk."""

from __future__ import annotations

from tests.agents.conftest import bank, bystander, counter, model  # noqa: F401
from tests.approvals.conftest import bystanders, opened, till  # noqa: F401
from tests.pages.live_desk import desk  # noqa: F401
