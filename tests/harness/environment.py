"""The environment of one test process: set before Django reads its settings.

Imported by tests/conftest.py before any other conftest, since those import models.
"""

from countersign.testing.process import TestProcess
from countersign.testing.process import set_up as set_up_with

__all__ = ["TestProcess", "set_up"]


def set_up() -> TestProcess:
    """Start this process's servers, point the settings at them and at the demo, and set Django up."""
    return set_up_with(COUNTERSIGN_DEMO="1")
