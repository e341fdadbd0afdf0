"""PostgreSQL and Redis for a machine that has neither: the real servers, in the data directory.

`ensure_services` is called by every process that needs them and whose environment names none.
The servers are children of one *keeper* process; they live as long as any process holds
`users.lock` of the data directory, and a keeper that is killed is replaced.
"""

from countersign.embedded.errors import EmbeddedError
from countersign.embedded.layout import Layout
from countersign.embedded.secrets import Secrets, ensure_secrets, read_secrets
from countersign.embedded.users import ensure_services, release_services

__all__ = [
    "EmbeddedError",
    "Layout",
    "Secrets",
    "ensure_secrets",
    "ensure_services",
    "read_secrets",
    "release_services",
]
