"""How this product talks to Redis: every time-out said aloud."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from redis import Redis

CONNECT_SECONDS = 2
ANSWER_SECONDS = 5


def with_timeouts(url: str) -> str:
    """Return the address with time-outs in its query, for clients that are made from it alone.

    redis-py waits for ever, or five seconds, depending on its version; a dead server must cost a
    known time. What the address says already stays.
    """
    parts = urlsplit(url)
    query = {
        "socket_connect_timeout": str(CONNECT_SECONDS),
        "socket_timeout": str(ANSWER_SECONDS),
        **dict(parse_qsl(parts.query)),
    }
    # urlunsplit drops the empty host of unix:///path, which redis-py needs.
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return f"{plain}?{urlencode(query)}"


def connect(url: str) -> Redis:
    """Return a client for `url` (with or without time-outs in it)."""
    return Redis.from_url(with_timeouts(url))
