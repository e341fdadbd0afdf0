"""Post the newest checkpoint to an address of somebody else's, who can show it when the log was rewritten."""

from typing import Final

import structlog
from django.conf import settings

from audit.services.checkpoints import newest_checkpoint
from audit.streaming.failing import NotDelivered
from audit.streaming.http import post

TIMEOUT_SECONDS: Final = 5
log = structlog.get_logger(__name__)
_posted: dict[str, int] = {}


def post_checkpoint() -> bool:
    """Post the note as text where an address is set and the log has grown since; whether it was posted.

    An answer that is none of success is logged, and the next call tries again with what is newest then.
    """
    address = settings.COUNTERSIGN.checkpoint_url
    newest = newest_checkpoint() if address else None
    if newest is None or _posted.get(address) == newest.size:
        return False
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    try:
        answer = post(address, newest.note.encode(), headers, seconds=TIMEOUT_SECONDS, ca_file=None)
        if not answer.is_well:
            raise answer.refusal()
    except NotDelivered as error:
        log.warning("checkpoint_not_posted", size=newest.size, error=error.why)
        return False
    _posted[address] = newest.size
    return True
