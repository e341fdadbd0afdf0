"""Background jobs: translate, one call, done. Arguments are ids, so that jobs survive a deploy."""

from typing import Any
from uuid import UUID

from django.db import close_old_connections

from audit.services import verify_log as verifying
from audit.services import write_export as service


def write_export(export_id: str, **_later: Any) -> None:
    """Write the file of an export that somebody asked for."""
    close_old_connections()
    try:
        service.write_export(UUID(export_id))
    finally:
        close_old_connections()


def verify_log(verification_id: str, **_later: Any) -> None:
    """Check the log because somebody asked for it."""
    close_old_connections()
    try:
        verifying.verify_log(UUID(verification_id))
    finally:
        close_old_connections()
