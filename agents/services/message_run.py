"""Message: tell a run something; its model reads it with the next call."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from agents.events import announce, run_stream, tell
from agents.models import RunMessage
from agents.services.locking import listening
from agents.services.say import fit_text, say
from agents.states import MessageKind
from audit.schemas import Disclose


def message_run(*, run_id: UUID, text: str, caller: Caller) -> RunMessage:
    """Leave the text for the run. A parked one keeps waiting for its requests.

    Raises UnknownRun, a Forbidden, RunEnded, RunCancelling, UnfitText, TooManyMessages.
    """
    words = fit_text(text)
    with transaction.atomic():
        run = listening(run_id, caller)
        message = say(run, MessageKind.MESSAGE, words, caller)
        said = Disclose("text", words, run_stream(run.pk))
        tell(run, "run.messaged", actor=caller.actor, disclosures=[said])
        announce(run, "messaged")
        return message
