"""Does a part of the product live on this machine? For probes of containers.

`python -m countersign.alive resumes` (or `runs`, `background`, `scheduler`, `web`) ends with 0 or 1. It
imports neither Django nor the settings, so that asking every few seconds costs little. While Redis does not
answer nobody can show signs of life, and work goes on from PostgreSQL: that is no reason to end a process,
and counts as alive.
"""

import os
import socket
import sys
from http.client import HTTPConnection, HTTPException

from redis.exceptions import RedisError

from audit.environment import given
from countersign.redis import connect

ROOT = "countersign:alive"
PARTS = ("resumes", "runs", "background", "scheduler", "web")
SECONDS = 5


def answers(port: int) -> bool:
    """Whether the web process of this machine answers at all."""
    asked = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        asked.request("GET", "/health/live")
        return asked.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        asked.close()


def seen(part: str, *, url: str, host: str) -> bool:
    """Whether a process of `host` that does this part showed itself lately; raises RedisError."""
    with connect(url) as client:
        if part == "scheduler":
            return bool(list(client.scan_iter(match=f"{ROOT}:scheduler:{host}:*", count=1000)))
        keys = list(client.scan_iter(match=f"{ROOT}:worker:{part}:*", count=1000))
        found = client.mget(keys) if keys else []
    return any(value is not None and value.decode().startswith(f"{host}:") for value in found)


def main(arguments: list[str]) -> int:
    """Answer for one part; says on standard error what is wrong."""
    if len(arguments) != 1 or arguments[0] not in PARTS:
        sys.stderr.write(f"Name one part: {', '.join(PARTS)}.\n")
        return 2
    (part,) = arguments
    try:
        lives = answers(int(os.environ.get("PORT") or 8000)) if part == "web" else _seen_here(part)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except RedisError as error:
        sys.stderr.write(f"Redis does not answer ({type(error).__name__}); nothing can be told.\n")
        return 0
    if lives:
        return 0
    sys.stderr.write(f"No {part} of this machine was seen lately.\n")
    return 1


def _seen_here(part: str) -> bool:
    url = given("REDIS_URL")
    if not url:
        raise ValueError("REDIS_URL is not set: only a deployment has probes.")
    return seen(part, url=url, host=socket.gethostname())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
