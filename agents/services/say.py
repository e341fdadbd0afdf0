"""Leave word for a run: what a person says waits there until the run's worker journals it."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F

from accounts.callers import Caller
from agents.errors import TooManyMessages, UnfitText
from agents.models import Run, RunMessage
from agents.simulation_errors import RunSimulated
from agents.states import MessageKind
from agents.storable import storable
from audit.clock import database_now

LONGEST_TEXT = 4_000
MOST_A_MINUTE = 20


def say(run: Run, kind: MessageKind, text: str, caller: Caller) -> RunMessage:
    """Keep what the caller says, for a run whose row they hold. Raises TooManyMessages, RunSimulated."""
    if run.simulated:
        raise RunSimulated
    now = database_now()
    lately = RunMessage.objects.filter(run=run, sent_at__gt=now - timedelta(minutes=1)).count()
    if lately >= MOST_A_MINUTE:
        raise TooManyMessages(MOST_A_MINUTE)
    # Steps are the worker's to write: it counts them from the journal that it has read.
    message = RunMessage.objects.create(
        run=run, kind=kind, text=text, author=caller.user, sent_at=now
    )
    Run.objects.filter(pk=run.pk).update(unheard=True, version=F("version") + 1)
    return message


def fit_text(text: str, *, may_be_empty: bool = False) -> str:
    """The text without blanks around it. Raises UnfitText."""
    stripped = text.strip()
    if not stripped and not may_be_empty:
        raise UnfitText("it is empty.")
    if len(stripped) > LONGEST_TEXT:
        raise UnfitText(f"it has more than {LONGEST_TEXT:,} characters.")
    if storable(stripped) != stripped:
        raise UnfitText("it holds a character that cannot be stored, or a tool's secret.")
    return stripped
