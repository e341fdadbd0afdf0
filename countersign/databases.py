"""Django's DATABASES from PostgreSQL addresses, one alias for each login."""

from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from countersign.config import Config, ConfigError

CONNECT_TIMEOUT_SECONDS = 5
POOL_TIMEOUT_SECONDS = 10

# A host that is cut off, and a firewall that has forgotten a connection, say nothing. Left to the system, either end
# would believe in such a connection for hours, the server with every row locked that was locked over it.
IDLE_SECONDS = 5
PROBE_SECONDS = 3
PROBES = 3
#: How long a connection whose other end is gone without a word is believed in, at most, by either end.
NOTICED_SECONDS = IDLE_SECONDS + PROBE_SECONDS * PROBES
OUR_END = {
    "keepalives": 1,
    "keepalives_idle": IDLE_SECONDS,
    "keepalives_interval": PROBE_SECONDS,
    "keepalives_count": PROBES,
    # What was sent and is not acknowledged: there are no probes meanwhile.
    "tcp_user_timeout": NOTICED_SECONDS * 1000,
}
THEIR_END = {
    "tcp_keepalives_idle": IDLE_SECONDS,
    "tcp_keepalives_interval": PROBE_SECONDS,
    "tcp_keepalives_count": PROBES,
    "tcp_user_timeout": NOTICED_SECONDS * 1000,
    # A statement that waits for a lock does not look at its socket by itself.
    "client_connection_check_interval": NOTICED_SECONDS * 1000,
}
#: A process that the machine has stopped in the middle of a transaction, as it does when it is moved or frozen, still
#: answers on the network: after so long without a statement its transaction is undone, and others get its locks. No
#: transaction of ours rests for a second; migrations may, and have none of this.
STOPPED_SECONDS = 60
AT_WORK = {"idle_in_transaction_session_timeout": STOPPED_SECONDS * 1000}


def databases(config: Config) -> dict[str, dict[str, Any]]:
    """Return the aliases `default` (application), `owner` (migrations) and `sealer`.

    Where only one address is given, all three use it; the readiness page then says which
    protection is missing. Raises ConfigError when an address cannot be read.
    """
    default = _database("DATABASE_URL", config.database_url, prepared=True)
    if config.process == "web":
        # Under ASGI each request has a thread, and so a connection, of its own: without a pool each
        # would open one. In the other processes few threads ask the database, each over one connection.
        default["CONN_MAX_AGE"] = 0
        default["OPTIONS"]["pool"] = {
            "min_size": 1,
            "max_size": config.database_pool,
            "timeout": POOL_TIMEOUT_SECONDS,
        }
    return {
        "default": default,
        "owner": _database(
            "DATABASE_OWNER_URL", config.database_owner_url or config.database_url, prepared=False
        ),
        "sealer": _database(
            "DATABASE_SEALER_URL", config.database_sealer_url or config.database_url, prepared=True
        ),
    }


def _database(name: str, url: str, *, prepared: bool) -> dict[str, Any]:
    # What the library says of it repeats parts of it, and so may a password: neither is told.
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:
        raise ConfigError(
            f"{name} cannot be read as a PostgreSQL address; write postgresql://USER:PASSWORD@HOST:5432/NAME, "
            "with %25 for each % of the password, and %40 for @"
        ) from None
    if not parts.get("dbname"):
        raise ConfigError(f"{name} names no database; write postgresql://USER@HOST:5432/NAME")
    options: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, **OUR_END}
    # What the address says is said last, and counts.
    said = THEIR_END | AT_WORK if prepared else THEIR_END
    options["options"] = f"{_said(said)} {parts.pop('options', None) or ''}".strip()
    if prepared:
        # Parameters bound by the server are what lets it keep a statement's plan; migrations bind
        # on the client, since data definitions take no parameters.
        options |= {"server_side_binding": True, "prepare_threshold": 2}
    core = {
        "dbname": "NAME",
        "user": "USER",
        "password": "PASSWORD",
        "host": "HOST",
        "port": "PORT",
    }
    django = {theirs: str(parts.pop(ours, "") or "") for ours, theirs in core.items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **django,
        "OPTIONS": options | {key: value for key, value in parts.items() if value is not None},
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }


def _said(settings: dict[str, int]) -> str:
    """Settings of a session as the server takes them when it begins."""
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
