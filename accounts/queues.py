"""The only place that names jobs of accounts: mailing links for a new password."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import structlog
from redis import RedisError

from audit.background_jobs import put

MAIL_SECONDS: Final = 120

log = structlog.get_logger(__name__)


def mail_links(people: Iterable[int], language: str) -> bool:
    """Have each of them mailed a link, now; whether the queue took it. Nobody is put there as everybody is, so that
    asking for somebody unknown is as much work."""
    try:
        put(
            "accounts.jobs.mail_links",
            ",".join(map(str, people)),
            language,
            seconds=MAIL_SECONDS,
        )
    except (RedisError, OSError) as error:
        log.warning("links_not_queued", error=type(error).__name__)
        return False
    return True
