"""Begin a log: give it a name and the key that signs for it."""

import re
import secrets
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connections

from audit.merkle.notes import VerifierKey
from audit.models import Log
from audit.signing import SigningKey

SEALER: Final = "sealer"
_BEGIN: Final = """
WITH begun AS (
    INSERT INTO audit_log (origin, first_size, former) VALUES (%s, %s, %s) RETURNING id, first_size
)
INSERT INTO audit_logkey (verifier, log_id, added_size) SELECT %s, id, first_size FROM begun
"""


def begin_log(*, size: int, key: SigningKey, former: str = "") -> Log:
    """The new log, from this size of the tree on; inside the sealer's transaction, with the state locked.

    `former` is the last checkpoint of the log that it takes over from.
    """
    origin = _origin(is_first=not former)
    verifier = VerifierKey(origin, key.public)
    with connections[SEALER].cursor() as cursor:
        cursor.execute(_BEGIN, [origin, size, former, str(verifier)])
    return Log.objects.using(SEALER).get(origin=origin)


def _origin(*, is_first: bool) -> str:
    """A name that no other log has: the public address, and a random part unless a setting names it."""
    given = settings.COUNTERSIGN.log_origin
    if given and is_first:
        return str(given)
    host = re.sub(r"[^A-Za-z0-9_.:-]", "", urlsplit(settings.COUNTERSIGN.address).netloc)
    return f"{given or f'{host}/audit'}/{secrets.token_hex(4)}"
