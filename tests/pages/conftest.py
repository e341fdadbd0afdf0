"""A parked run for the pages: the bank's teller asks for one payment."""

from __future__ import annotations

from tests.agents.conftest import bank, bystander, counter, model  # noqa: F401
from tests.approvals.conftest import bystanders  # noqa: F401
