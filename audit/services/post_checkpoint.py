"""Post the newest checkpoint to an address of somebody else's, who can show it when the log was rewritten."""

import urllib.request
from typing import Final

import structlog
from django.conf import settings

from audit.services.checkpoints import newest_checkpoint

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
    request = urllib.request.Request(  # noqa: S310 -- the settings take http and https alone
        address,
        data=newest.note.encode(),
        headers={"Content-Type": "text/plain; charset=utf-8"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310
            _posted[address] = newest.size
    except OSError as error:
        log.warning("checkpoint_not_posted", size=newest.size, error=type(error).__name__)
        return False
    return True
