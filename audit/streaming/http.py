"""One POST to somebody else's server: bounded in time and in what is read, no redirects followed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2

from audit.streaming.failing import NotDelivered, timed_out, unreachable
from audit.streaming.trust import context


@dataclass(frozen=True)
class Answer:
    """What came back; `content` as far as it was to be read."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_well(self) -> bool:
        return 200 <= self.status < 300

    def refusal(self, after_seconds: float | None = None) -> NotDelivered:
        """What an answer that is none of success says."""
        said = f"It answered {self.status}."
        if 300 <= self.status < 400:
            said = f"It answered {self.status}: redirects are not followed, name the new address in the settings."
        return NotDelivered(f"status_{self.status}", said, after_seconds=after_seconds)


def post(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float,
    ca_file: Path | None,
    longest: int = 0,
) -> Answer:
    """Post, and read up to `longest` bytes of the answer. The time is for all of it together.

    Raises `NotDelivered` where no answer came.
    """
    try:
        return asyncio.run(_post(url, content, headers, seconds, ca_file, longest))
    except TimeoutError as error:
        raise timed_out(seconds) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise unreachable(error) from error


async def _post(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    seconds: float,
    ca_file: Path | None,
    longest: int,
) -> Answer:
    async with (
        asyncio.timeout(seconds),
        httpx2.AsyncClient(verify=context(ca_file), timeout=None, follow_redirects=False) as client,
        client.stream("POST", url, content=content, headers=dict(headers)) as answer,
    ):
        read = b""
        if longest:
            async for piece in answer.aiter_raw():
                read += piece
                if len(read) >= longest:
                    break
        return Answer(answer.status_code, answer.headers, read[:longest])
