"""Django's DATABASES from PostgreSQL addresses, one alias for each login."""

from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from countersign.config import Config, ConfigError

CONNECT_TIMEOUT_SECONDS = 5
POOL_TIMEOUT_SECONDS = 10


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
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError as error:
        raise ConfigError(
            f"{name} cannot be read as a PostgreSQL address ({str(error).strip()}); "
            "write postgresql://USER:PASSWORD@HOST:5432/NAME"
        ) from error
    if not parts.get("dbname"):
        raise ConfigError(f"{name} names no database; write postgresql://USER@HOST:5432/NAME")
    options: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
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
